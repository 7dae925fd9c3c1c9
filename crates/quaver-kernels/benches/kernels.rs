//! Convolutions of the sizes that networks have, in GF/s of the definition's arithmetic, and the machine's peak.
//!
//! ```sh
//! cargo bench -p quaver-kernels --bench kernels          # everything, on every instruction set there is
//! cargo bench -p quaver-kernels --bench kernels -- peak  # the peak alone
//! cargo bench -p quaver-kernels --bench kernels -- weights  # the class Grams of weights, and the peak
//! cargo bench -p quaver-kernels --bench kernels -- spectra  # what maps ask of small matrices, alone
//! ```
#![allow(clippy::print_stdout, reason = "a benchmark")]

use std::hint::black_box;
use std::time::Instant;

use quaver_kernels::conv::{Conv, ConvOptions, ConvShape};
use quaver_kernels::spectra::{Question, Spectra, n_packed};
use quaver_kernels::window::{AXES, Window};
use quaver_kernels::{Isa, Onward};

/// Cotangents of ten classes.
const V: usize = 9;

/// The shortest of a few runs, in seconds.
fn shortest(mut run: impl FnMut()) -> f64 {
    let time = |_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    };
    (0..25).map(time).fold(f64::INFINITY, f64::min)
}

fn noise(n: usize) -> Vec<f32> {
    (0..n).map(|i| (i as f32 * 0.37).sin()).collect()
}

/// The best that a 1×1 convolution of ideal size reaches: what the machine gives one thread.
fn peak() {
    let shape = conv(512, 96, 8, 1, 1);
    let best = Isa::available()
        .into_iter()
        .filter(|&isa| isa != Isa::Portable);
    let best = best
        .map(|isa| backward(&shape, isa, false, 0.0, 1.0))
        .fold(0.0, f64::max);
    println!("peak of one thread, measured by a product of ideal size: {best:.0} GF/s");
}

fn conv(c_in: usize, c_out: usize, size: usize, kernel: usize, stride: usize) -> ConvShape {
    ConvShape {
        window: Window {
            input: [1, size, size],
            output: [1, size / stride, size / stride],
            kernel: [1, kernel, kernel],
            stride: [1, stride, stride],
            dilation: [1; AXES],
            pad: [0, kernel / 2, kernel / 2],
        },
        c_in,
        c_out,
        groups: 1,
    }
}

/// Whether a place is among a share of all places.
fn is_below(at: usize, share: f64) -> bool {
    let draw = at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    (draw as f64) < share * f64::from(1 << 24)
}

/// V cotangents of n numbers, of which a share is zero in the same places, as behind a ReLU.
fn cotangents(n: usize, zeros: f64) -> Vec<f32> {
    let mut gy = noise(V * n);
    for (at, g) in gy.iter_mut().enumerate() {
        if is_below(at % n, zeros) {
            *g = 0.0;
        }
    }
    gy
}

/// GF/s of the reverse pass of V cotangents, of which a share is zero, and of whose results a share is wanted, as before a ReLU.
fn backward(shape: &ConvShape, isa: Isa, winograd: bool, zeros: f64, asked: f64) -> f64 {
    let window = &shape.window;
    let weight = noise(shape.c_in * shape.c_out * window.n_taps());
    let options = ConvOptions {
        isa,
        winograd,
        n_cotangents: V,
    };
    let kernel = Conv::new(shape.clone(), &weight, None, options);
    let n = window.n_output() * shape.c_out;
    let gy = cotangents(n, zeros);
    let n_in = window.n_input() * shape.c_in;
    let mut gx = vec![0.0; V * n_in];
    let wanted: Vec<u8> = (0..n_in)
        .map(|at| if is_below(at, asked) { 0xFF } else { 0 })
        .collect();
    let wanted = (asked < 1.0).then_some(wanted.as_slice());
    let mut scratch = Vec::new();
    let seconds = shortest(|| {
        let onward = Onward {
            wanted,
            done: &mut |_, _| {},
        };
        kernel.backward_data_then(black_box(&gy), &mut gx, &mut scratch, onward);
    });
    2.0 * shape.macs() as f64 * V as f64 / seconds / 1e9
}

/// Nanoseconds per matrix of a row of 32 whose `rank` vectors have components that fall off by `decay`.
fn spectra(rank: usize, decay: f64) -> f64 {
    const WIDTH: usize = 32;
    let mut planes = vec![0.0; n_packed(V) * WIDTH];
    for x in 0..WIDTH {
        for f in 0..rank {
            let at = |i: usize| {
                let draw = ((x * 64 + f) * 64 + i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
                decay.powi((V - 1 - i) as i32) * (draw as f64 / f64::from(1 << 23) - 1.0)
            };
            for i in 0..V {
                for j in 0..=i {
                    planes[(n_packed(i) + j) * WIDTH + x] += at(i) * at(j);
                }
            }
        }
    }
    let question = Question {
        rtol: 1e-6,
        lambda: 1.0,
    };
    const N_ROWS: usize = 100;
    let run = || {
        let mut spectra = Spectra::new(V, question, N_ROWS * WIDTH);
        for row in 0..N_ROWS {
            spectra.row(black_box(&planes), row * WIDTH);
        }
        black_box(spectra.finish());
    };
    1e9 * shortest(run) / (N_ROWS * WIDTH) as f64
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|a| a == "peak") {
        return peak();
    }
    // cargo test runs benches too, without this flag: nothing to time then.
    if !arguments.iter().any(|a| a == "--bench") {
        return;
    }
    println!("what a map asks of a 9 × 9 matrix, one thread, ns");
    println!("  of full rank {:.0}", spectra(30, 1.0));
    println!("  of rank 3 {:.0}", spectra(3, 1.0));
    println!("  graded over 16 decades {:.0}", spectra(30, 0.1));
    if arguments.iter().any(|a| a == "spectra") {
        return;
    }
    if !arguments.iter().any(|a| a == "weights") {
        passes();
    }
    weights();
    peak();
}

/// Reverse passes.
fn passes() {
    println!("reverse pass of a convolution, {V} cotangents, one thread, GF/s of the definition");
    for (c_in, c_out, size, kernel, stride) in [
        (16, 16, 32, 3, 1),
        (32, 32, 16, 3, 1),
        (64, 64, 8, 3, 1),
        (16, 32, 32, 3, 2),
        (64, 64, 32, 3, 1),
        (128, 128, 16, 3, 1),
        (256, 256, 8, 3, 1),
        (512, 512, 4, 3, 1),
        (128, 32, 16, 3, 1),
        (64, 256, 32, 1, 1),
        (128, 512, 16, 1, 1),
        (256, 1024, 8, 1, 1),
        (512, 2048, 4, 1, 1),
        (256, 64, 32, 1, 1),
        (512, 128, 16, 1, 1),
        (2048, 512, 4, 1, 1),
        (3, 64, 32, 3, 1),
        (3, 16, 32, 3, 1),
    ] {
        let shape = conv(c_in, c_out, size, kernel, stride);
        for isa in Isa::available()
            .into_iter()
            .filter(|&isa| isa != Isa::Portable)
        {
            let direct = backward(&shape, isa, false, 0.0, 1.0);
            let masked = backward(&shape, isa, false, 0.5, 1.0);
            let asked = backward(&shape, isa, false, 0.0, 0.5);
            let fast = backward(&shape, isa, true, 0.0, 1.0);
            println!(
                "{c_in:>5} -> {c_out:<4} {size:>2}x{size:<2} k{kernel} s{stride}  {isa:<8?} direct {direct:6.1}  half zero {masked:6.1}  half wanted {asked:6.1}  as chosen {fast:6.1}"
            );
        }
    }
}

/// Class Grams of weights.
fn weights() {
    println!(
        "class Gram of a convolution's weights, one thread, ms, and GF/s of forming gradients; half of the cotangents zero"
    );
    for (c_in, c_out, size, kernel, stride) in [
        (16, 16, 32, 3, 1),
        (32, 32, 16, 3, 1),
        (64, 64, 8, 3, 1),
        (16, 32, 32, 3, 2),
        (64, 64, 32, 3, 1),
        (128, 128, 16, 3, 1),
        (512, 512, 4, 3, 1),
        (128, 32, 32, 3, 1),
        (64, 256, 32, 1, 1),
        (128, 512, 16, 1, 1),
        (256, 64, 32, 1, 1),
        (512, 128, 16, 1, 1),
        (256, 512, 32, 1, 2),
        (3, 64, 32, 3, 1),
    ] {
        let shape = conv(c_in, c_out, size, kernel, stride);
        let window = shape.window.clone();
        let weight = noise(c_in * c_out * window.n_taps());
        let macs = shape.macs();
        let x = noise(window.n_input() * c_in);
        let conv = Conv::new(shape, &weight, None, ConvOptions::default());
        let (mut s, mut scratch) = ([0.0; V * V], Vec::new());
        let [full, half] = [0.0, 0.5].map(|zeros| {
            let gy = cotangents(window.n_output() * c_out, zeros);
            let seconds =
                shortest(|| conv.weight_gram(1, black_box(&x), &gy, &mut s, &mut scratch));
            format!(
                "{:7.3} ms {:6.1}",
                seconds * 1e3,
                2.0 * macs as f64 * V as f64 / seconds / 1e9
            )
        });
        println!("{c_in:>5} -> {c_out:<4} {size:>2}x{size:<2} k{kernel} s{stride}  {full}  {half}");
    }
}
