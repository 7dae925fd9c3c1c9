//! Einsum: products summed over the letters that the output leaves out, as transposes and matrix products of two
//! operands at a time.

use crate::EngineError;
use crate::compose::{Body, Name};
use crate::onnx::node::NodeContext;
use crate::op::Built;
use crate::tensor::n_elements;

/// A value and what its axes are called.
struct Term {
    name: Name,
    letters: Vec<char>,
}

/// The letters of one operand, an ellipsis written out with letters of its own.
fn letters(text: &str, rank: usize, ellipsis: &[char]) -> Option<Vec<char>> {
    let text: String = text.split_whitespace().collect();
    let Some((before, after)) = text.split_once("...") else {
        return Some(text.chars().collect()).filter(|l: &Vec<char>| l.len() == rank);
    };
    let spread = rank.checked_sub(before.chars().count() + after.chars().count())?;
    let spread = ellipsis.get(ellipsis.len().checked_sub(spread)?..)?;
    Some(
        before
            .chars()
            .chain(spread.iter().copied())
            .chain(after.chars())
            .collect(),
    )
}

/// Reads an Einsum node.
pub(super) fn build(node: &NodeContext<'_>) -> Result<Built, EngineError> {
    let equation = node.string("equation", "");
    let wrong = || {
        let shapes = node
            .inputs
            .iter()
            .flatten()
            .map(|x| format!("{:?}", x.shape));
        let shapes: Vec<String> = shapes.collect();
        EngineError::shape(format!(
            "attribute equation = '{equation}' for values of shape {}",
            shapes.join(", ")
        ))
    };
    let (left, right) = match equation.split_once("->") {
        Some((left, right)) => (left, Some(right)),
        None => (equation.as_str(), None),
    };
    // Private letters for what an ellipsis stands for, the last axis first met last.
    let ellipsis: Vec<char> = ('\u{e000}'..='\u{e03f}').collect();
    let mut sizes: Vec<(char, usize)> = Vec::new();
    let mut terms = Vec::new();
    let mut body = Body::new(node);
    let operands: Vec<&str> = left.split(',').collect();
    if operands.len() != node.inputs.len() {
        return Err(wrong());
    }
    for (at, text) in operands.iter().enumerate() {
        let x = node.input(at)?;
        let letters = letters(text, x.shape.len(), &ellipsis).ok_or_else(wrong)?;
        for (&letter, &dim) in letters.iter().zip(&x.shape) {
            match sizes.iter_mut().find(|(other, _)| *other == letter) {
                None => sizes.push((letter, dim)),
                Some((_, size)) if *size == dim || dim == 1 => {}
                Some((_, size)) if *size == 1 => *size = dim,
                Some(_) => return Err(wrong()),
            }
        }
        terms.push((node.name(at)?.clone(), letters, x.shape.clone()));
    }
    let size = |letter: char| {
        let found = sizes.iter().find(|(other, _)| *other == letter);
        found.map_or(1, |&(_, size)| size)
    };
    let output: Vec<char> = match right {
        Some(right) => {
            let spread = sizes.iter().filter(|(l, _)| ellipsis.contains(l)).count();
            let plain = right
                .split_whitespace()
                .collect::<String>()
                .replace("...", "");
            let with_dots = right.contains("...");
            let rank = plain.chars().count() + if with_dots { spread } else { 0 };
            letters(right, rank, &ellipsis).ok_or_else(wrong)?
        }
        None => {
            // Without an arrow: the ellipsis, then every letter that occurs once, in order.
            let count = |letter| {
                terms
                    .iter()
                    .flat_map(|t| &t.1)
                    .filter(|&&l| l == letter)
                    .count()
            };
            let mut once: Vec<char> = sizes.iter().map(|&(l, _)| l).collect();
            once.retain(|&l| ellipsis.contains(&l) || count(l) == 1);
            once.sort_by_key(|&l| (!ellipsis.contains(&l), l));
            once
        }
    };
    let repeats = output
        .iter()
        .enumerate()
        .any(|(at, l)| output[..at].contains(l));
    if repeats || output.iter().any(|l| !sizes.iter().any(|(s, _)| s == l)) {
        return Err(wrong());
    }
    n_elements(&output.iter().map(|&l| size(l)).collect::<Vec<_>>())?;
    let mut terms: std::collections::VecDeque<Term> = terms
        .into_iter()
        .map(|(name, letters, shape)| prepare(&mut body, name, letters, &shape, &size))
        .collect::<Result<_, _>>()?;
    while terms.len() > 1 {
        let (Some(a), Some(b)) = (terms.pop_front(), terms.pop_front()) else {
            return Err(wrong());
        };
        let rest: Vec<char> = terms
            .iter()
            .flat_map(|t| t.letters.iter().copied())
            .collect();
        let keep = |l: char| output.contains(&l) || rest.contains(&l);
        let product = multiply(&mut body, a, b, &keep, &size)?;
        terms.push_front(product);
    }
    let last = terms.pop_front().ok_or_else(wrong)?;
    let last = sum_out(&mut body, last, &|l| output.contains(&l));
    let y = arrange(&mut body, &last, &output);
    body.returns(y)
}

/// An operand with every axis at full length and no letter twice.
fn prepare(
    body: &mut Body,
    mut name: Name,
    mut letters: Vec<char>,
    shape: &[usize],
    size: &impl Fn(char) -> usize,
) -> Result<Term, EngineError> {
    let mut full: Vec<usize> = letters.iter().map(|&l| size(l)).collect();
    n_elements(&full)?;
    if full != shape {
        let wanted = body.sizes(&full);
        name = body.op("Expand", &[&name, &wanted]);
    }
    while let Some(second) = (1..letters.len()).find(|&at| letters[..at].contains(&letters[at])) {
        // A diagonal: the two axes become one, of which every (n + 1)-th place is taken.
        let first = letters
            .iter()
            .position(|&l| l == letters[second])
            .unwrap_or(0);
        let n = full[first];
        let others = |at: &usize| *at != first && *at != second;
        let mut perm: Vec<usize> = (0..letters.len()).filter(others).collect();
        let lead: Vec<usize> = perm.iter().map(|&at| full[at]).collect();
        let mut named: Vec<char> = perm.iter().map(|&at| letters[at]).collect();
        named.push(letters[first]);
        perm.extend([first, second]);
        name = body.transpose(&name, &perm);
        name = body.reshape(&name, &[lead.as_slice(), &[n * n]].concat());
        let places: Vec<i64> = (0..n).map(|i| (i * (n + 1)) as i64).collect();
        let places = body.ints(&places);
        let along = crate::onnx::proto::AttributeProto::int("axis", -1);
        name = body.with("Gather", &[&name, &places], vec![along]);
        full = [lead.as_slice(), &[n]].concat();
        letters = named;
    }
    Ok(Term { name, letters })
}

/// Sums over the letters that nobody needs any more.
fn sum_out(body: &mut Body, term: Term, keep: &impl Fn(char) -> bool) -> Term {
    let gone = (0..term.letters.len()).filter(|&at| !keep(term.letters[at]));
    let gone: Vec<i64> = gone.map(|at| at as i64).collect();
    if gone.is_empty() {
        return term;
    }
    let name = body.reduce("ReduceSum", &term.name, &gone, false);
    let letters = term.letters.into_iter().filter(|&l| keep(l)).collect();
    Term { name, letters }
}

fn arrange(body: &mut Body, term: &Term, letters: &[char]) -> Name {
    if term.letters == letters {
        return body.op("Identity", &[&term.name]);
    }
    let position = |l: &char| {
        term.letters
            .iter()
            .position(|other| other == l)
            .unwrap_or(0)
    };
    let perm: Vec<usize> = letters.iter().map(position).collect();
    body.transpose(&term.name, &perm)
}

/// The product of two terms, summed over what only these two have and nobody needs afterwards.
fn multiply(
    body: &mut Body,
    a: Term,
    b: Term,
    keep: &impl Fn(char) -> bool,
    size: &impl Fn(char) -> usize,
) -> Result<Term, EngineError> {
    let a = {
        let others = b.letters.clone();
        sum_out(body, a, &|l| keep(l) || others.contains(&l))
    };
    let b = {
        let others = a.letters.clone();
        sum_out(body, b, &|l| keep(l) || others.contains(&l))
    };
    let shared = |l: &char| a.letters.contains(l) && b.letters.contains(l);
    let pick = |from: &Term, test: &dyn Fn(&char) -> bool| -> Vec<char> {
        from.letters.iter().copied().filter(test).collect()
    };
    let batch = pick(&a, &|l| shared(l) && keep(*l));
    let summed = pick(&a, &|l| shared(l) && !keep(*l));
    let rows = pick(&a, &|l| !shared(l));
    let columns = pick(&b, &|l| !shared(l));
    let total = |letters: &[char]| -> Result<usize, EngineError> {
        n_elements(&letters.iter().map(|&l| size(l)).collect::<Vec<_>>())
    };
    let (n_batch, m, k, n) = (
        total(&batch)?,
        total(&rows)?,
        total(&summed)?,
        total(&columns)?,
    );
    let order_a = [batch.as_slice(), &rows, &summed].concat();
    let order_b = [batch.as_slice(), &summed, &columns].concat();
    let left = arrange(body, &a, &order_a);
    let left = body.reshape(&left, &[n_batch, m, k]);
    let right = arrange(body, &b, &order_b);
    let right = body.reshape(&right, &[n_batch, k, n]);
    let product = body.op("MatMul", &[&left, &right]);
    let letters = [batch, rows, columns].concat();
    let shape: Vec<usize> = letters.iter().map(|&l| size(l)).collect();
    let name = body.reshape(&product, &shape);
    Ok(Term { name, letters })
}
