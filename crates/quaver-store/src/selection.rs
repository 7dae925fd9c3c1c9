//! A choice of a store's blocks, and sums of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use quaver::{
    Block, ClassGram, Classes, Description, Error, ErrorKind, Evaluation, LabelChoice, Reader,
    SampleFailure, ScoreOptions, Source,
};
use wildmatch::WildMatch;

use crate::Store;

/// A store as a [`Source`].
///
/// Terms are the names of its blocks, with `*` for any characters and `?` for one; `layers` is every `layer:` block,
/// `params` the block of that name or else the sum of all layers, where all are there. Terms joined by `+` are added up:
/// Grams of disjoint blocks add (math.md: S(α ∪ β) = S(α) + S(β)). No term at all means every block as it is.
pub struct Selection<'a> {
    store: &'a Store,
    /// For each chosen block, which of the store's are its sum.
    sums: Vec<Vec<usize>>,
    /// Which classes are kept apart, as seen from whose label, where the store has all of them apart.
    merging: Option<(Classes, LabelChoice)>,
    description: Description,
}

impl<'a> Selection<'a> {
    /// The same with classes merged as `options` ask for it; a store of all classes has what it takes.
    ///
    /// # Errors
    /// If the store merged them otherwise when it was filled, or there is no softmax to merge classes of.
    pub fn merging(mut self, options: &ScoreOptions) -> Result<Self, Error> {
        let refuse = |why: String| Err(Error::new(ErrorKind::Option, format!("--classes {why}")));
        let (stored, _) = self.store.identity().merging()?;
        match options.classes {
            None => Ok(self),
            Some(classes) if classes == stored => Ok(self),
            Some(classes) if stored != Classes::All => refuse(format!(
                "{classes}: the store was filled with {stored}; other classes need the network"
            )),
            Some(classes) if !self.description.family.has_classes() => {
                refuse(format!("{classes}: only those of a softmax can be merged"))
            }
            Some(classes) => {
                self.merging = Some((classes, options.label));
                self.description.merges_classes = true;
                Ok(self)
            }
        }
    }

    pub(crate) fn new(store: &'a Store, wrt: &[String]) -> Result<Self, Error> {
        let mut description = store.identity().description(store.samples().len())?;
        let stored = std::mem::take(&mut description.blocks);
        let mut sums: Vec<Vec<usize>> = Vec::new();
        let mut blocks: Vec<Block> = Vec::new();
        let mut add = |name: Arc<str>, places: Vec<usize>| -> Result<(), Error> {
            if blocks.iter().any(|block| block.name == name) {
                return Ok(());
            }
            blocks.push(sum(&stored, name, &places)?);
            sums.push(places);
            Ok(())
        };
        if wrt.is_empty() {
            for (at, block) in stored.iter().enumerate() {
                add(Arc::clone(&block.name), vec![at])?;
            }
        }
        let chooser = Chooser {
            stored: &stored,
            has_all_layers: store
                .identity()
                .wrt
                .iter()
                .any(|term| term == "layers" || term == "layer:*"),
        };
        for entry in wrt {
            // A block that was stored as a sum is found by its whole name.
            if let Some(at) = stored.iter().position(|block| *block.name == **entry) {
                add(Arc::clone(&stored[at].name), vec![at])?;
                continue;
            }
            let terms: Vec<&str> = entry.split('+').map(str::trim).collect();
            match terms.as_slice() {
                ["params"] => add("params".into(), chooser.choose("params")?)?,
                [term] => {
                    for at in chooser.choose(term)? {
                        add(Arc::clone(&stored[at].name), vec![at])?;
                    }
                }
                terms => {
                    let mut places = BTreeSet::new();
                    for term in terms {
                        places.extend(chooser.choose(term)?);
                    }
                    add(entry.as_str().into(), places.into_iter().collect())?;
                }
            }
        }
        description.blocks = blocks;
        Ok(Self {
            store,
            sums,
            merging: None,
            description,
        })
    }
}

/// The blocks there are to choose from.
struct Chooser<'a> {
    stored: &'a [Block],
    has_all_layers: bool,
}

impl Chooser<'_> {
    /// Which blocks a term names.
    fn choose(&self, term: &str) -> Result<Vec<usize>, Error> {
        let pattern = match term {
            "layers" => "layer:*",
            "params" if self.has_all_layers && !self.has("params") => "layer:*",
            term => term,
        };
        let glob = WildMatch::new(pattern);
        let exact = self.has(pattern);
        let matches = |block: &Block| match exact {
            true => *block.name == *pattern,
            false => glob.matches(&block.name),
        };
        let found: Vec<usize> = (0..self.stored.len())
            .filter(|&at| matches(&self.stored[at]))
            .collect();
        if found.is_empty() {
            const SHOWN: usize = 12;
            let names: Vec<&str> = self.stored.iter().map(|block| &*block.name).collect();
            let more = match names.len() > SHOWN {
                true => format!(" and {} more", names.len() - SHOWN),
                false => String::new(),
            };
            let shown = names[..names.len().min(SHOWN)].join(", ");
            return Err(Error::new(
                ErrorKind::Option,
                format!(
                    "--wrt '{term}': the store holds {shown}{more}; other blocks need the network"
                ),
            ));
        }
        Ok(found)
    }

    fn has(&self, name: &str) -> bool {
        self.stored.iter().any(|block| *block.name == *name)
    }
}

/// The union of disjoint blocks.
fn sum(stored: &[Block], name: Arc<str>, places: &[usize]) -> Result<Block, Error> {
    let mut members: BTreeSet<Arc<str>> = BTreeSet::new();
    for &at in places {
        for member in &stored[at].members {
            if !members.insert(Arc::clone(member)) {
                return Err(Error::new(
                    ErrorKind::Option,
                    format!(
                        "--wrt '{name}': '{member}' is in more than one of these blocks, whose Grams then do not add up; the network can compute it"
                    ),
                ));
            }
        }
    }
    let squares: Option<f64> = places
        .iter()
        .map(|&at| stored[at].norm.map(|norm| norm * norm))
        .sum();
    let norm = match places {
        [at] => stored[*at].norm,
        _ => squares.map(f64::sqrt),
    };
    Ok(Block::described(
        name,
        places
            .iter()
            .fold(0, |sum, &at| stored[at].n_coordinates.saturating_add(sum)),
        norm,
        members.into_iter().collect(),
    ))
}

impl Source for Selection<'_> {
    fn description(&self) -> &Description {
        &self.description
    }

    fn reader(&self) -> Reader<'_> {
        Box::new(|position| {
            let evaluated = self.store.evaluated(position)?;
            Ok(evaluated.and_then(|evaluation| {
                let (index, key) = (evaluation.index, evaluation.key.clone());
                self.chosen(evaluation)
                    .map_err(|error| SampleFailure { index, key, error })
            }))
        })
    }
}

impl Selection<'_> {
    fn chosen(&self, evaluation: Evaluation) -> Result<Evaluation, Error> {
        let gram = |places: &Vec<usize>| match places.as_slice() {
            [at] => Ok(evaluation.grams[*at].clone()),
            places => ClassGram::sum(places.iter().map(|&at| &evaluation.grams[at])),
        };
        let grams = self.sums.iter().map(gram).collect::<Result<_, _>>()?;
        let lost = &evaluation.lost_traces;
        let lost_traces = match lost.is_empty() {
            true => Vec::new(),
            false => self
                .sums
                .iter()
                .map(|places| places.iter().map(|&at| lost.get(at).unwrap_or(&0.0)).sum())
                .collect(),
        };
        let chosen = Evaluation {
            grams,
            lost_traces,
            ..evaluation
        };
        match self.merging {
            Some((classes, label)) => chosen.merged(classes, label),
            None => Ok(chosen),
        }
    }
}
