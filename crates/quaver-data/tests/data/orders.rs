//! Arrays in Fortran order are the arrays that they are in C order.

use crate::common::*;
use proptest::prelude::*;
use quaver_data::Dataset;
use zip::CompressionMethod::{Deflated, Stored};

/// The array that holds its own indices: in C order, and in Fortran order by the definition of that.
fn twins(shape: &[usize]) -> [Vec<u8>; 2] {
    let n: usize = shape.iter().product();
    let mut fortran = vec![0; 4 * n];
    let mut c = Vec::with_capacity(4 * n);
    for index in 0..n {
        let number = (index as f32).to_le_bytes();
        c.extend(number);
        let (mut rest, mut axes) = (index, vec![0; shape.len()]);
        for (axis, length) in axes.iter_mut().zip(shape).rev() {
            (*axis, rest) = (rest % length, rest / length);
        }
        let pairs = axes.iter().zip(shape).rev();
        let place = pairs.fold(0, |place, (axis, length)| place * length + axis);
        fortran[4 * place..][..4].copy_from_slice(&number);
    }
    let axes: String = shape.iter().map(|axis| format!("{axis}, ")).collect();
    let text = format!("({axes})");
    [
        npy_with("'<f4'", false, &text, &c),
        npy_with("'<f4'", true, &text, &fortran),
    ]
}

fn same(ours: &dyn Dataset, theirs: &dyn Dataset, indices: impl Iterator<Item = usize>) {
    assert_eq!((ours.len(), ours.shape()), (theirs.len(), theirs.shape()));
    for index in indices {
        assert!(
            ours.read(index).unwrap() == theirs.read(index).unwrap(),
            "sample {index}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn small_arrays(shape in prop::collection::vec(1_usize..6, 2..6)) {
        let [c, fortran] = twins(&shape);
        let place = Place::new();
        let expected = open_default(&place.write("c.npy", &c)).unwrap();
        for (name, bytes) in [
            ("x.npy", fortran.clone()),
            ("x.npy.gz", gz(&fortran)),
            ("stored.npz", npz(&[("x", &fortran)], Stored)),
            ("deflated.npz", npz(&[("x", &fortran)], Deflated)),
        ] {
            let data = open_default(&place.write(name, &bytes)).unwrap();
            same(&*data, &*expected, (0..shape[0]).rev());
        }
    }
}

/// Some that are gathered in several blocks, whose columns lie close together or far apart, and samples that are too long
/// for a block.
#[test]
fn large_arrays() {
    for shape in [
        [3000, 20, 20].as_slice(),
        &[200_000, 2, 4],
        &[3, 640, 1800],
        &[2, 1, 1_300_000],
    ] {
        let [c, fortran] = twins(shape);
        let place = Place::new();
        let expected = open_default(&place.write("c.npy", &c)).unwrap();
        let data = open_default(&place.write("x.npy", &fortran)).unwrap();
        let step = 1 + shape[0] / 500;
        same(&*data, &*expected, (0..shape[0]).step_by(step));
        same(&*data, &*expected, (0..shape[0]).rev().step_by(step));
        std::thread::scope(|scope| {
            for start in 0..4 {
                let (data, expected) = (&*data, &*expected);
                let some = (start..shape[0]).step_by(4 * step);
                scope.spawn(move || same(data, expected, some));
            }
        });
    }
}

#[test]
fn members_of_an_archive() {
    let [c, fortran] = twins(&[2, 3, 4]);
    let place = Place::new();
    let [expected, data] = [("c.tar", c), ("x.tar", fortran)].map(|(name, array)| {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_size(array.len() as u64);
        header.set_cksum();
        for member in ["0.npy", "1.npy"] {
            archive
                .append_data(&mut header, member, array.as_slice())
                .unwrap();
        }
        open_default(&place.write(name, &archive.into_inner().unwrap())).unwrap()
    });
    same(&*data, &*expected, 0..2);
}
