//! The largest rows of a table of any length, in bounded memory.

use quaver::table::Value;

/// The `n` rows that are largest in one column, the largest first; equals in the order in which they came.
#[derive(Debug)]
pub struct Ranking {
    column: usize,
    n: usize,
    rows: Vec<(f64, Vec<Value>)>,
}

impl Ranking {
    pub fn new(column: usize, n: usize) -> Self {
        Self {
            column,
            n,
            rows: Vec::new(),
        }
    }

    /// Takes a row in, if it is among the largest so far. A row without a number in the column is not ranked.
    pub fn add(&mut self, row: &[Value]) {
        let key = match row.get(self.column) {
            Some(&Value::Float(number)) => number,
            Some(&Value::Int(number)) => number as f64,
            _ => return,
        };
        let at = self.rows.partition_point(|(have, _)| *have >= key);
        if at < self.n {
            self.rows.truncate(self.n - 1);
            self.rows.insert(at, (key, row.to_vec()));
        }
    }

    /// The rows, largest first.
    pub fn into_rows(self) -> Vec<Vec<Value>> {
        self.rows.into_iter().map(|(_, row)| row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_sorting() {
        for n in [0, 1, 3, 50] {
            let values: Vec<i64> = (0..40).map(|i| (i * 7919) % 13).collect();
            let mut ranking = Ranking::new(1, n);
            let mut rows: Vec<Vec<Value>> = Vec::new();
            for (i, &value) in values.iter().enumerate() {
                let row = vec![Value::Int(i as i64), Value::Int(value)];
                ranking.add(&row);
                rows.push(row);
            }
            ranking.add(&[Value::Null, Value::Null]);
            rows.sort_by_key(|row| match row[1] {
                Value::Int(value) => -value,
                _ => 0,
            });
            rows.truncate(n);
            assert_eq!(ranking.into_rows(), rows);
        }
    }
}
