//! Matrix products whose right factor is packed once, for many left factors: the inner loop of everything.
//!
//! C ← A B with B (k × n) cut into panels of two vectors' width. The rows of A and C are given by their
//! addresses, so that a convolution is such a product without its patches ever being laid out: a row of A is
//! then a sequence of `taps` stretches, one per tap, each `k / taps` long. Two panels may lie side by side, row by row, for those
//! who read across them.

use crate::simd::{Isa, Simd};
use crate::{Buffer, Scalar};

/// Vectors side by side in a panel.
pub(crate) const PANEL: usize = 2;

/// Columns of several matrices that are computed together.
pub(crate) const ABREAST: usize = 8;

/// Rows of A looked at together, so that a panel of B is fetched once for all of them.
pub(crate) const ROWS: usize = 96;

/// A k × n matrix in panels, laid out for one instruction set.
#[derive(Debug)]
pub(crate) struct Packed<T> {
    isa: Isa,
    k: usize,
    n: usize,
    /// Panels side by side.
    side: usize,
    /// So many panels after so many; in each of these, row after row.
    values: Buffer<T>,
}

impl<T: Scalar> Packed<T> {
    /// Packs the matrix whose element in row `l` and column `j` is `at(l)(j)`, `side` panels side by side.
    pub(crate) fn new<R: Fn(usize) -> T>(
        isa: Isa,
        (k, n): (usize, usize),
        side: usize,
        at: impl Fn(usize) -> R,
    ) -> Self {
        let mut packed = Self::zeros(isa, (k, n), side);
        let lanes = isa.lanes::<T>();
        let (end, width) = (n.next_multiple_of(lanes), side * PANEL * lanes);
        for column in (0..n).step_by(width) {
            let width = width.min(end - column);
            let panels = &mut packed.values[column * k..][..k * width];
            for (l, row) in panels.chunks_exact_mut(width).enumerate() {
                let at = at(l);
                // What is behind the last column stays zero.
                for (j, slot) in row[..width.min(n - column)].iter_mut().enumerate() {
                    *slot = at(column + j);
                }
            }
        }
        packed
    }

    /// `count` matrices: `fill(l, j, elements)` gives the elements of each in row `l` and [`ABREAST`] columns from `j` on.
    /// Those from n on are not used.
    pub(crate) fn several(
        isa: Isa,
        (k, n): (usize, usize),
        count: usize,
        mut fill: impl FnMut(usize, usize, &mut [[T; ABREAST]]),
    ) -> Vec<Self> {
        let mut all: Vec<Self> = (0..count).map(|_| Self::zeros(isa, (k, n), 1)).collect();
        let mut elements = vec![[T::ZERO; ABREAST]; count];
        let lanes = isa.lanes::<T>();
        for column in (0..n).step_by(ABREAST) {
            let width = ABREAST.min(n - column);
            for l in 0..k {
                fill(l, column, &mut elements);
                for (packed, elements) in all.iter_mut().zip(&elements) {
                    for (part, elements) in elements[..width].chunks(lanes).enumerate() {
                        let (at, step) = place(k, n, column + part * lanes, lanes);
                        packed.values[at + l * step..][..elements.len()].copy_from_slice(elements);
                    }
                }
            }
        }
        all
    }

    fn zeros(isa: Isa, (k, n): (usize, usize), side: usize) -> Self {
        Self {
            isa,
            k,
            n,
            side,
            values: Buffer::new(Panels::<T>::len(isa, k, n)),
        }
    }

    pub(crate) fn isa(&self) -> Isa {
        self.isa
    }

    pub(crate) fn view(&self) -> Panels<'_, T> {
        Panels {
            isa: self.isa,
            k: self.k,
            n: self.n,
            side: self.side,
            values: &self.values,
        }
    }
}

/// Where a panel lies, or some side by side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Panel<T> {
    /// Its first row.
    pub at: *const T,
    /// Elements from row to row.
    pub step: usize,
    /// Its width in vectors.
    pub vectors: usize,
}

/// A k × n matrix in panels, wherever they lie.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Panels<'a, T> {
    isa: Isa,
    k: usize,
    n: usize,
    side: usize,
    values: &'a [T],
}

impl<'a, T: Scalar> Panels<'a, T> {
    pub(crate) fn isa(&self) -> Isa {
        self.isa
    }

    pub(crate) fn k(&self) -> usize {
        self.k
    }

    /// The panel that starts at `column`.
    #[inline(always)]
    pub(crate) fn panel(&self, column: usize) -> Panel<T> {
        let lanes = self.isa.lanes::<T>();
        let vectors = panel_vectors(self.n - column, lanes);
        // Many small products ask for it: no division where none lie side by side.
        let (first, step) = if self.side == 1 {
            (column, vectors * lanes)
        } else {
            let width = self.side * PANEL * lanes;
            let first = column - column % width;
            (first, width.min(self.n.next_multiple_of(lanes) - first))
        };
        Panel {
            at: self.values[first * self.k + (column - first)..].as_ptr(),
            step,
            vectors,
        }
    }

    /// The panel that starts at `column`, as a matrix by itself, where none lie side by side.
    #[inline(always)]
    pub(crate) fn one(&self, column: usize) -> Self {
        assert_eq!(self.side, 1, "panel after panel");
        let (rest, lanes) = (self.n - column, self.isa.lanes::<T>());
        Self {
            n: rest.min(PANEL * lanes),
            values: &self.values[column * self.k..],
            ..*self
        }
    }

    pub(crate) fn n(&self) -> usize {
        self.n
    }

    /// Elements that the panels of a k × n matrix take.
    pub(crate) fn len(isa: Isa, k: usize, n: usize) -> usize {
        k * n.next_multiple_of(isa.lanes::<T>())
    }

    /// A k × n matrix that lies in panels already, where [`place`] says.
    pub(crate) fn laid(isa: Isa, k: usize, n: usize, values: &'a [T]) -> Self {
        assert!(values.len() >= Self::len(isa, k, n), "all panels are there");
        Self {
            isa,
            k,
            n,
            side: 1,
            values,
        }
    }

    /// Packs the row-major k × n matrix `b` into `space`, which has [`Panels::len`] elements.
    pub(crate) fn pack(isa: Isa, k: usize, n: usize, b: &'a [T], space: &'a mut [T]) -> Self {
        let lanes = isa.lanes::<T>();
        if n == panel_vectors(n, lanes) * lanes {
            // One panel without padding is the matrix as it lies.
            return Self {
                isa,
                k,
                n,
                side: 1,
                values: &b[..k * n],
            };
        }
        match PANEL * lanes {
            32 => lay::<32, T>(lanes, k, n, b, space),
            16 => lay::<16, T>(lanes, k, n, b, space),
            8 => lay::<8, T>(lanes, k, n, b, space),
            _ => lay::<4, T>(lanes, k, n, b, space),
        }
        Self {
            isa,
            k,
            n,
            side: 1,
            values: space,
        }
    }
}

/// Lays the row-major k × n matrix `b` out in panels of WIDTH. Row by row: what comes from memory comes fastest in order.
fn lay<const WIDTH: usize, T: Scalar>(lanes: usize, k: usize, n: usize, b: &[T], space: &mut [T]) {
    let (whole, last) = space.split_at_mut(n / WIDTH * k * WIDTH);
    let (whole, _) = whole.as_chunks_mut::<WIDTH>();
    for (l, row) in b.chunks_exact(n).enumerate().take(k) {
        let (stretches, rest) = row.as_chunks::<WIDTH>();
        for (panel, stretch) in stretches.iter().enumerate() {
            whole[panel * k + l] = *stretch;
        }
        if !rest.is_empty() {
            let width = panel_vectors(rest.len(), lanes) * lanes;
            let last = &mut last[l * width..][..width];
            last[..rest.len()].copy_from_slice(rest);
            last[rest.len()..].fill(T::ZERO);
        }
    }
}

/// Where a vector of a k × n matrix lies in its panels, the vector that starts at column `column` of row 0, and how far
/// apart the rows are.
#[inline(always)]
pub(crate) fn place(k: usize, n: usize, column: usize, lanes: usize) -> (usize, usize) {
    let panel = column - column % (PANEL * lanes);
    let width = panel_vectors(n - panel, lanes) * lanes;
    (panel * k + (column - panel), width)
}

/// The width, in vectors, of the panel that starts where `rest` columns are left.
#[inline(always)]
fn panel_vectors(rest: usize, lanes: usize) -> usize {
    if rest > lanes { PANEL } else { 1 }
}

/// What C holds before the product is added.
#[derive(Clone, Copy)]
pub(crate) enum Start<'a, T> {
    Zero,
    /// One value per column.
    Bias(&'a [T]),
}

/// Addresses of rows of A and C.
pub(crate) trait Rows<T> {
    /// Stretches per row of A.
    fn taps(&self) -> usize;

    /// From one element of a stretch to the next.
    #[inline(always)]
    fn step(&self) -> usize {
        1
    }

    /// For the `count` rows from `first` on: a[tap · stride + i] and c[i]. Rows are asked for in order.
    fn fill(
        &mut self,
        first: usize,
        count: usize,
        stride: usize,
        a: &mut [*const T],
        c: &mut [*mut T],
    );
}

/// Rows of two dense row-major matrices.
pub(crate) struct Dense<T> {
    pub a: *const T,
    pub a_stride: usize,
    pub c: *mut T,
    pub c_stride: usize,
}

impl<T> Rows<T> for Dense<T> {
    #[inline(always)]
    fn taps(&self) -> usize {
        1
    }

    #[inline(always)]
    fn fill(&mut self, first: usize, count: usize, _: usize, a: &mut [*const T], c: &mut [*mut T]) {
        for i in 0..count {
            a[i] = self.a.wrapping_add((first + i) * self.a_stride);
            c[i] = self.c.wrapping_add((first + i) * self.c_stride);
        }
    }
}

/// Rows of Aᵀ and C for two dense row-major matrices A and C.
pub(crate) struct Transposed<T> {
    pub a: *const T,
    pub a_stride: usize,
    pub c: *mut T,
    pub c_stride: usize,
}

impl<T> Rows<T> for Transposed<T> {
    #[inline(always)]
    fn taps(&self) -> usize {
        1
    }

    #[inline(always)]
    fn step(&self) -> usize {
        self.a_stride
    }

    #[inline(always)]
    fn fill(&mut self, first: usize, count: usize, _: usize, a: &mut [*const T], c: &mut [*mut T]) {
        for i in 0..count {
            a[i] = self.a.wrapping_add(first + i);
            c[i] = self.c.wrapping_add((first + i) * self.c_stride);
        }
    }
}

/// C ← start + A B for `m` rows.
///
/// # Safety
/// Every address that `rows` gives for A has `b.k() / taps` readable elements `rows.step()` apart, every one for C `b.n()` writable
/// ones, C overlaps neither A nor B, and `simd` is what `b` was packed for.
#[inline(always)]
pub(crate) unsafe fn product<T: Scalar, S: Simd<T>>(
    simd: S,
    m: usize,
    b: Panels<'_, T>,
    start: Start<'_, T>,
    rows: &mut impl Rows<T>,
) {
    assert_eq!(S::LANES, b.isa.lanes::<T>(), "packed for other vectors");
    let taps = rows.taps();
    let k = b.k.checked_div(taps).unwrap_or(0);
    // Rows of a tile: as many as vector registers hold sums for, or general ones the rows' addresses.
    let tile = if S::REGISTERS >= 32 && taps == 1 {
        12
    } else {
        6
    };
    // The many small products of Winograd's algorithm should not allocate.
    let (mut on_stack, mut on_heap) = ([std::ptr::null(); ROWS], Vec::new());
    let a_rows: &mut [*const T] = if taps == 1 {
        &mut on_stack
    } else {
        on_heap.resize(taps * ROWS, std::ptr::null());
        &mut on_heap
    };
    let mut c_rows = [std::ptr::null_mut(); ROWS];
    for first in (0..m).step_by(ROWS) {
        let count = ROWS.min(m - first);
        rows.fill(first, count, ROWS, a_rows, &mut c_rows);
        // A tile that hangs over the end repeats the last row and does not store it.
        for i in count..count.next_multiple_of(tile).min(ROWS) {
            for tap in 0..taps {
                a_rows[tap * ROWS + i] = a_rows[tap * ROWS + count - 1];
            }
        }
        let mut column = 0;
        while column < b.n {
            let panel = b.panel(column);
            let mut at = 0;
            while at < count {
                let rest = count - at;
                let job = Tile {
                    simd,
                    taps,
                    k,
                    step: rows.step(),
                    a: a_rows.as_ptr().wrapping_add(at),
                    b: panel.at,
                    b_step: panel.step,
                    c: &c_rows[at..count],
                    columns: Columns {
                        start,
                        column,
                        width: (b.n - column).min(panel.vectors * S::LANES),
                    },
                };
                // SAFETY: the pointers are the caller's; the panel lies inside `values`.
                unsafe {
                    match (tile == 12 && rest > 6, panel.vectors) {
                        (true, PANEL) => job.run::<12, PANEL>(),
                        (true, _) => job.run::<12, 1>(),
                        (false, PANEL) => job.run::<6, PANEL>(),
                        (false, _) => job.run::<6, 1>(),
                    }
                }
                at += if rest > 6 { tile } else { 6 };
            }
            column += panel.vectors * S::LANES;
        }
    }
}

/// Repeats a block for each row of a tile. Written out, because the compiler unrolls a loop of this size only
/// after it has decided which arrays to keep in registers.
macro_rules! each_row {
    ($i:ident < $rows:ident $body:block) => {
        each_row!(@ $i $rows $body 0 1 2 3 4 5 6 7 8 9 10 11)
    };
    (@ $i:ident $rows:ident $body:block $($n:literal)*) => {
        {
            $({
                const $i: usize = $n;
                if $i < $rows $body
            })*
        }
    };
}

pub(crate) use each_row;

/// A few rows of C by one panel of B.
struct Tile<'a, T, S> {
    simd: S,
    taps: usize,
    k: usize,
    step: usize,
    /// a[tap · ROWS + row].
    a: *const *const T,
    b: *const T,
    b_step: usize,
    /// The rows to store, at most as many as the tile has.
    c: &'a [*mut T],
    columns: Columns<'a, T>,
}

impl<T: Scalar, S: Simd<T>> Tile<'_, T, S> {
    #[inline(always)]
    unsafe fn run<const MR: usize, const NV: usize>(&self) {
        let simd = self.simd;
        let mut acc = [[simd.splat(T::ZERO); NV]; MR];
        let mut b = self.b;
        for tap in 0..self.taps {
            // SAFETY: as promised to `product`; a panel has k rows of NV vectors for every tap.
            unsafe {
                let mut a = [b; MR];
                each_row!(I < MR { a[I] = *self.a.add(tap * ROWS + I) });
                for l in 0..self.k {
                    let row: [S::V; NV] = std::array::from_fn(|j| simd.load(b.add(j * S::LANES)));
                    each_row!(I < MR {
                        let x = simd.splat(*a[I].add(l * self.step));
                        acc[I][0] = simd.mul_add(x, row[0], acc[I][0]);
                        if NV > 1 {
                            acc[I][NV - 1] = simd.mul_add(x, row[NV - 1], acc[I][NV - 1]);
                        }
                    });
                    b = b.wrapping_add(self.b_step);
                }
            }
        }
        // Constant indices here too: an index that is computed would move all sums to memory.
        each_row!(I < MR {
            if let Some(&c) = self.c.get(I) {
                // SAFETY: C is the caller's.
                unsafe {
                    let c = c.wrapping_add(self.columns.column);
                    self.columns.store(simd, c, acc[I]);
                }
            }
        });
    }
}

/// Where the sums of a panel go.
#[derive(Clone, Copy)]
pub(crate) struct Columns<'a, T> {
    pub start: Start<'a, T>,
    /// The first.
    pub column: usize,
    /// Columns to store.
    pub width: usize,
}

impl<T: Scalar> Columns<'_, T> {
    /// What was stored from `c` on, zeros where nothing was.
    ///
    /// # Safety
    /// `width` elements from `c` on are readable.
    #[inline(always)]
    pub(crate) unsafe fn load<S: Simd<T>, const NV: usize>(
        &self,
        simd: S,
        c: *const T,
    ) -> [S::V; NV] {
        let mut found = [simd.splat(T::ZERO); NV];
        // 2 vectors of at most 16 elements.
        let mut row = [T::ZERO; 32];
        // SAFETY: the caller's promise.
        unsafe {
            let mut from = c;
            if self.width < NV * S::LANES {
                self.load_part(&mut row, c);
                from = row.as_ptr();
            }
            found[0] = simd.load(from);
            if NV > 1 {
                found[NV - 1] = simd.load(from.add(S::LANES));
            }
        }
        found
    }

    /// Adds one row of sums to what C starts from, and stores it from `c` on.
    ///
    /// # Safety
    /// `width` elements from `c` on are writable, and a bias has as many from `column` on.
    #[inline(always)]
    pub(crate) unsafe fn store<S: Simd<T>, const NV: usize>(
        &self,
        simd: S,
        c: *mut T,
        acc: [S::V; NV],
    ) {
        // SAFETY: `width` columns of C are writable from `c` on, and the bias has as many.
        unsafe {
            if self.width == NV * S::LANES {
                self.store_vector(simd, c, self.column, acc[0]);
                if NV > 1 {
                    self.store_vector(simd, c.add(S::LANES), self.column + S::LANES, acc[NV - 1]);
                }
                return;
            }
            // 2 vectors of at most 16 elements.
            let mut row = [T::ZERO; 32];
            simd.store(row.as_mut_ptr(), acc[0]);
            simd.store(row[(NV - 1) * S::LANES..].as_mut_ptr(), acc[NV - 1]);
            self.store_part(&row, c);
        }
    }

    /// The loops of the two above, once for all tiles: they are many, and a panel is seldom narrow.
    ///
    /// # Safety
    /// `width` elements from `c` on are readable.
    #[inline(never)]
    unsafe fn load_part(&self, row: &mut [T; 32], c: *const T) {
        for (j, x) in row[..self.width].iter_mut().enumerate() {
            // SAFETY: the caller's promise.
            *x = unsafe { *c.add(j) };
        }
    }

    /// # Safety
    /// `width` elements from `c` on are writable, and a bias has as many from `column` on.
    #[inline(never)]
    unsafe fn store_part(&self, row: &[T; 32], c: *mut T) {
        for (j, &x) in row[..self.width].iter().enumerate() {
            let x = match self.start {
                Start::Zero => x,
                Start::Bias(bias) => bias[self.column + j] + x,
            };
            // SAFETY: the caller's promise.
            unsafe { c.add(j).write(x) };
        }
    }

    #[inline(always)]
    unsafe fn store_vector<S: Simd<T>>(&self, simd: S, c: *mut T, column: usize, acc: S::V) {
        // SAFETY: a whole vector of C is writable, and the bias has one at `column`.
        unsafe {
            let sum = match self.start {
                Start::Zero => acc,
                Start::Bias(bias) => simd.add(acc, simd.load(bias[column..].as_ptr())),
            };
            simd.store(c, sum);
        }
    }
}
