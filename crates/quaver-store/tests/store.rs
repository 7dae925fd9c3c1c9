//! What a store promises: the numbers of the network, bit for bit; the same bytes however it came about; no damage that
//! goes unnoticed; and that it never mixes two runs.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use quaver::demo::{GlyphOptions, GlyphSet};
use quaver::{
    Classes, Error, ErrorKind, InMemory, LabelChoice, Model, Network, Score, ScoreOptions, Source,
    score_each,
};
use quaver_store::{Identity, Paths, Shard, Store, StoredAs, merge};
use serde_json::Map;

const N: usize = 300;

fn options(wrt: &[&str]) -> ScoreOptions {
    ScoreOptions {
        wrt: wrt.iter().map(|term| (*term).to_owned()).collect(),
        ..ScoreOptions::default()
    }
}

fn made_from(name: &str) -> Map<String, serde_json::Value> {
    Map::from_iter([("data".to_owned(), name.into())])
}

struct Setting {
    model: Model,
    set: GlyphSet,
    options: ScoreOptions,
}

impl Setting {
    fn new(options: ScoreOptions) -> Self {
        let set = GlyphSet::generate(&GlyphOptions::clean(N, 11)).unwrap();
        let model = quaver::demo::model().unwrap();
        Self {
            model,
            set,
            options,
        }
    }

    fn network(&self) -> Network<'_> {
        Network::new(&self.model, &self.set, &self.options).unwrap()
    }

    fn identity(&self, stored_as: StoredAs) -> Identity {
        let described = self.network().description().clone();
        Identity::new(&described, &self.options, made_from("glyphs"), stored_as)
    }

    fn begin(&self, folder: &Path, shard: &str) -> Store {
        Store::create(
            folder,
            self.identity(StoredAs::F64),
            Paths::default(),
            shard.parse().unwrap(),
        )
        .unwrap()
    }

    fn fill(&self, store: &Store) -> Result<usize, Error> {
        let mut computed = 0;
        let never = AtomicBool::new(false);
        store.fill(&self.network(), None, &never, |one| {
            computed += usize::from(one.is_some());
            Ok(())
        })?;
        Ok(computed)
    }
}

fn scores(source: &dyn Source, options: &ScoreOptions) -> Vec<Score> {
    let mut scores = Vec::new();
    score_each(source, options, &AtomicBool::new(false), |scored| {
        scores.extend(scored.map_err(quaver::SampleFailure::into_error)?);
        Ok(())
    })
    .unwrap();
    scores
}

fn bytes(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read(path).unwrap())
        })
        .collect()
}

#[test]
fn a_store_has_the_numbers_of_the_network() {
    let folder = tempfile::tempdir().unwrap();
    for (name, options) in [
        ("plain", options(&["input", "layers", "params"])),
        (
            "merged",
            ScoreOptions {
                classes: Some(Classes::Top(2)),
                label: LabelChoice::Predicted,
                ..options(&["input"])
            },
        ),
    ] {
        let setting = Setting::new(options);
        let store = setting.begin(&folder.path().join(name), "1/1");
        assert_eq!(setting.fill(&store).unwrap(), N);
        let store = Store::open(&folder.path().join(name)).unwrap();
        let live = scores(&setting.network(), &setting.options);
        let kept = scores(&store.select(&[]).unwrap(), &setting.options);
        assert_eq!(live, kept);
    }
}

#[test]
fn single_precision_halves_the_space_and_keeps_six_digits() {
    let folder = tempfile::tempdir().unwrap();
    let setting = Setting::new(options(&["input"]));
    let store = Store::create(
        folder.path(),
        setting.identity(StoredAs::F32),
        Paths::default(),
        Shard::WHOLE,
    )
    .unwrap();
    setting.fill(&store).unwrap();
    let live = scores(&setting.network(), &setting.options);
    for (live, kept) in live
        .iter()
        .zip(scores(&store.select(&[]).unwrap(), &setting.options))
    {
        let (a, b) = (live.measures.fisher_trace, kept.measures.fisher_trace);
        assert!((a - b).abs() <= 1e-4 * a, "{a} {b}");
    }
}

#[test]
fn blocks_add_up_without_the_network() {
    let folder = tempfile::tempdir().unwrap();
    let setting = Setting::new(options(&["input", "layers"]));
    let store = setting.begin(folder.path(), "1/1");
    setting.fill(&store).unwrap();
    let wrt = ["params", "input+params", "layers"].map(str::to_owned);
    let sums = store.select(&wrt).unwrap();
    let asked = Setting::new(options(&["params", "input+params", "layers"]));
    let network = asked.network();
    assert_eq!(
        sums.description().blocks.len(),
        network.description().blocks.len()
    );
    for (a, b) in scores(&sums, &asked.options)
        .iter()
        .zip(scores(&network, &asked.options))
    {
        assert_eq!((a.index, &a.block), (b.index, &b.block));
        for (a, b) in [
            (a.measures.fisher_trace, b.measures.fisher_trace),
            (a.measures.grad_norm, b.measures.grad_norm),
            (a.measures.fi_lambda, b.measures.fi_lambda),
        ] {
            assert!((a - b).abs() <= 1e-5 * a.abs().max(1e-30), "{a} {b}");
        }
    }
    let unknown = store.select(&["param:nothing".to_owned()]).err().unwrap();
    assert!(
        unknown.to_string().contains("the store holds input"),
        "{unknown}"
    );
}

#[test]
fn blocks_that_share_coordinates_do_not_add_up() {
    let folder = tempfile::tempdir().unwrap();
    let setting = Setting::new(options(&["params", "layers"]));
    let store = setting.begin(folder.path(), "1/1");
    setting.fill(&store).unwrap();
    let error = store.select(&["params+layers".to_owned()]).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Option);
    assert!(error.to_string().contains("more than one"), "{error}");
}

#[test]
fn whatever_happened_the_bytes_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let setting = Setting::new(options(&["input"]));
    let whole = folder.path().join("whole");
    setting.fill(&setting.begin(&whole, "1/1")).unwrap();
    let expected = bytes(&whole);
    assert!(expected.len() > 2 * 4, "{:?}", expected.keys());

    // Stopped again and again, each time a little later.
    let resumed = folder.path().join("resumed");
    for patience in [10, 70, 130, 190, 1000] {
        let store = setting.begin(&resumed, "1/1");
        let stop = AtomicBool::new(false);
        let mut seen = 0;
        let ended = store.fill(&setting.network(), None, &stop, |one| {
            seen += usize::from(one.is_some());
            stop.store(seen > patience, Ordering::Relaxed);
            Ok(())
        });
        assert_eq!(ended.is_err(), seen > patience, "{seen}");
    }
    assert_eq!(bytes(&resumed), expected);

    // A part cut short, one with a flipped bit, one without its checksum, one missing.
    let damaged = |name: &str, change: &dyn Fn(&Path)| change(&resumed.join(name));
    damaged("part-000000.parquet", &|path| {
        let bytes = fs::read(path).unwrap();
        fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    });
    damaged("part-000001.parquet", &|path| {
        let mut bytes = fs::read(path).unwrap();
        bytes[100] ^= 1;
        fs::write(path, bytes).unwrap();
    });
    damaged("part-000002.json", &|path| fs::remove_file(path).unwrap());
    damaged("part-000003.parquet", &|path| {
        fs::remove_file(path).unwrap()
    });
    let error = Store::open(&resumed).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(error.to_string().contains("4 of 5 parts"), "{error}");
    assert_eq!(
        setting.fill(&setting.begin(&resumed, "1/1")).unwrap(),
        4 * 64
    );
    assert_eq!(bytes(&resumed), expected);

    // In shards, joined in another order.
    let shards = [1, 2, 3].map(|i| folder.path().join(format!("shard{i}")));
    for (i, shard) in shards.iter().enumerate() {
        setting
            .fill(&setting.begin(shard, &format!("{}/3", i + 1)))
            .unwrap();
    }
    let [a, b, c] = shards;
    let joined = folder.path().join("joined");
    merge(&joined, &[c.clone(), a.clone(), b.clone()]).unwrap();
    assert_eq!(bytes(&joined), expected);

    let gap = merge(&folder.path().join("gap"), &[a.clone(), c.clone()]).unwrap_err();
    assert!(gap.to_string().contains("none of the stores"), "{gap}");
    let end = merge(&folder.path().join("end"), &[a.clone(), b.clone()]).unwrap_err();
    assert!(end.to_string().contains("none of the stores"), "{end}");
    let twice = merge(&folder.path().join("twice"), &[a.clone(), a, b, c]).unwrap_err();
    assert!(twice.to_string().contains("two of the stores"), "{twice}");
    for refused in ["gap", "end", "twice"] {
        assert!(!folder.path().join(refused).exists());
    }
}

#[test]
fn runs_are_not_mixed() {
    let folder = tempfile::tempdir().unwrap();
    let setting = Setting::new(options(&["input"]));
    setting.begin(folder.path(), "1/1");
    let again = |change: &dyn Fn(&mut Identity)| {
        let mut identity = setting.identity(StoredAs::F64);
        change(&mut identity);
        Store::create(folder.path(), identity, Paths::default(), Shard::WHOLE).map(|_| ())
    };
    again(&|_| {}).unwrap();
    type Change<'a> = (&'a str, &'a dyn Fn(&mut Identity));
    let changes: [Change<'_>; 3] = [
        ("data", &|identity| identity.made_from = made_from("others")),
        ("precision", &|identity| {
            identity.precision = "f64".to_owned()
        }),
        ("stored_as", &|identity| identity.stored_as = StoredAs::F32),
    ];
    for (what, change) in changes {
        let error = again(change).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store);
        assert!(
            error.to_string().contains(&format!("its {what} differs")),
            "{error}"
        );
    }
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("thesis.tex"), "precious").unwrap();
    let error = Store::create(
        elsewhere.path(),
        setting.identity(StoredAs::F64),
        Paths::default(),
        Shard::WHOLE,
    );
    assert!(error.unwrap_err().to_string().contains("not empty"));
    let error = Store::open(elsewhere.path()).unwrap_err();
    assert!(error.to_string().contains("is not a store"), "{error}");
}

#[test]
fn samples_that_failed_are_kept_as_such() {
    let model = quaver::demo::model().unwrap();
    let mut values = vec![0.5; 3 * 784];
    values[784] = f64::NAN;
    let data = InMemory::new(&[1, 28, 28], values, Some(vec![0, 1, 2])).unwrap();
    let options = options(&["input"]);
    let network = Network::new(&model, &data, &options).unwrap();
    let identity = Identity::new(network.description(), &options, Map::new(), StoredAs::F64);
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path(), identity, Paths::default(), Shard::WHOLE).unwrap();
    let never = AtomicBool::new(false);
    store.fill(&network, None, &never, |_| Ok(())).unwrap();
    let mut seen = Vec::new();
    score_each(&store.select(&[]).unwrap(), &options, &never, |scored| {
        seen.push(scored.map(|scores| scores.len()).map_err(|e| e.to_string()));
        Ok(())
    })
    .unwrap();
    assert_eq!((&seen[0], &seen[2]), (&Ok(1), &Ok(1)));
    assert!(
        seen[1].as_ref().unwrap_err().starts_with("sample 1: "),
        "{seen:?}"
    );
}

#[test]
fn a_store_of_nonsense_is_refused_in_one_line() {
    let setting = Setting::new(options(&["input"]));
    let folder = tempfile::tempdir().unwrap();
    setting.begin(folder.path(), "1/1");
    let manifest = folder.path().join("store.json");
    let good = fs::read_to_string(&manifest).unwrap();
    for bad in [
        String::new(),
        "{}".to_owned(),
        good.replace("\"schema\": 1", "\"schema\": 2"),
        good.replace("\"part_size\": 64", "\"part_size\": 0"),
        good.replace("\"n_samples\": 300", "\"n_samples\": 0"),
        good.replace("\"n_samples\": 300", "\"n_samples\": 18446744073709551615"),
        good[..good.len() / 2].to_owned(),
        // More parts than anyone could look for.
        good.replace("\"n_samples\": 300", "\"n_samples\": 1152921504606846976")
            .replace("\"part_size\": 64", "\"part_size\": 4096")
            .replace("    5\n  ]\n}", "    281474976710656\n  ]\n}"),
    ] {
        assert_ne!(bad, good);
        fs::write(&manifest, &bad).unwrap();
        let error = Store::open(folder.path()).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store);
        assert!(!error.to_string().contains('\n'), "{error}");
    }
    for bad in ["", "1", "0/2", "3/2", "1/0", "a/b", "-1/2"] {
        assert!(bad.parse::<Shard>().is_err(), "{bad}");
    }
}
