//! Copies, or adds, columns of one matrix to columns of another: gates out of and into their groups, parts of a concatenation, time
//! turned round, dropout and masks.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Override, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// out[row, col] (+)= scale x[row', col] m.
    pub struct CopyColumns {
        /// Rows of both matrices.
        pub rows: u32,
        /// Columns to copy.
        pub cols: u32,
        /// Elements of a row of x.
        pub x_width: u32,
        /// Where its first column begins in its binding.
        pub x_at: u32,
        /// From one of its columns to the next.
        pub x_stride: u32,
        /// Elements of a row of out.
        pub out_width: u32,
        /// Where its first column begins in its binding.
        pub out_at: u32,
        /// From one of its columns to the next.
        pub out_stride: u32,
        /// Rows of m, which repeat.
        pub m_rows: u32,
        /// Elements of a row of m.
        pub m_width: u32,
        /// Where its first column begins in its binding.
        pub m_at: u32,
        /// From one of its columns to the next.
        pub m_stride: u32,
        /// Rows of one time step where time is flipped, else 0.
        pub flip_rows: u32,
        /// 1: add to what is there.
        pub accumulate: u32,
        /// What every element is multiplied by.
        pub scale: f32,
    }
}

/// Columns of a matrix.
#[derive(Clone, Debug)]
pub struct Columns {
    /// `[rows, width]`
    pub slot: Slot,
    /// Elements of a row.
    pub width: usize,
    /// The first column.
    pub at: usize,
    /// From one column to the next.
    pub stride: usize,
}

impl Columns {
    /// All columns.
    pub fn all(slot: &Slot, width: usize) -> Columns {
        Columns::from(slot, width, 0)
    }

    /// The columns from `at` on.
    pub fn from(slot: &Slot, width: usize, at: usize) -> Columns {
        Columns { slot: slot.clone(), width, at, stride: 1 }
    }

    /// One gate of each group of four.
    pub fn gate(slot: &Slot, units: usize, gate: usize) -> Columns {
        Columns { slot: slot.clone(), width: 4 * units, at: gate, stride: 4 }
    }

    fn rows(&self) -> usize {
        self.slot.len / self.width
    }

    fn part(&self, rows: std::ops::Range<usize>) -> Columns {
        Columns { slot: self.slot.rows(rows, self.width), ..self.clone() }
    }
}

/// What elements are multiplied by beside the scale.
#[derive(Clone, Debug)]
pub enum Multiply {
    /// As many rows as x has, or fewer that repeat: the same in all time steps.
    Columns(Columns),
    /// `[rows]`: a number for each row.
    Rows(Slot),
}

/// How columns are copied.
#[derive(Clone, Debug)]
pub struct CopyHow {
    /// What every element is multiplied by.
    pub scale: f32,
    /// What more they are multiplied by.
    pub multiply: Option<Multiply>,
    /// Whether to add to what is there.
    pub accumulate: bool,
    /// N, where the last time step comes first.
    pub flip: Option<usize>,
}

impl Default for CopyHow {
    fn default() -> Self {
        CopyHow { scale: 1.0, multiply: None, accumulate: false, flip: None }
    }
}

impl CopyColumns {
    /// Copies `cols` columns of `rows` rows, in as many runs as bindings need.
    pub fn record([rows, cols]: [usize; 2], plan: &mut Plan, x: &Columns, out: &Columns, how: CopyHow) {
        let repeated = match &how.multiply {
            Some(Multiply::Columns(m)) if m.rows() < rows => m.rows(),
            _ => 1,
        };
        let chunks = plan.row_chunks(rows, &[x.width, out.width]);
        // Chunks begin at multiples of 64 rows, which need not be whole repetitions or time steps.
        if let Some(samples) = how.flip.or((repeated > 1).then_some(repeated)).filter(|_| chunks.len() > 1) {
            for t in 0..rows / samples {
                let from = if how.flip.is_some() { rows / samples - 1 - t } else { t };
                let range = |t: usize| t * samples..(t + 1) * samples;
                let how = CopyHow { flip: None, ..part_of(&how, range(t), rows) };
                Self::one([samples, cols], plan, &x.part(range(from)), &out.part(range(t)), how);
            }
            return;
        }
        for range in chunks {
            let how = part_of(&how, range.clone(), rows);
            Self::one([range.len(), cols], plan, &x.part(range.clone()), &out.part(range), how);
        }
    }

    fn one([rows, cols]: [usize; 2], plan: &mut Plan, x: &Columns, out: &Columns, how: CopyHow) {
        let ((x_slot, x_at), (out_slot, out_at)) = (x.slot.aligned(), out.slot.aligned());
        let (kind, (m, m_at), [m_rows, m_width, m_stride]) = match &how.multiply {
            None => (0, (plan.nothing(), 0), [1; 3]),
            Some(Multiply::Columns(m)) => {
                let (slot, at) = m.slot.aligned();
                (1, (slot, at + m.at as u32), [m.rows(), m.width, m.stride])
            }
            Some(Multiply::Rows(slot)) => (2, slot.aligned(), [rows, 1, 1]),
        };
        CopyColumns {
            rows: rows as u32,
            cols: cols as u32,
            x_width: x.width as u32,
            x_at: x_at + x.at as u32,
            x_stride: x.stride as u32,
            out_width: out.width as u32,
            out_at: out_at + out.at as u32,
            out_stride: out.stride as u32,
            m_rows: m_rows as u32,
            m_width: m_width as u32,
            m_at,
            m_stride: m_stride as u32,
            flip_rows: how.flip.unwrap_or(0) as u32,
            accumulate: how.accumulate.into(),
            scale: how.scale,
        }
        .push(plan, Options::one("MULTIPLY", kind), &[&x_slot, &m, &out_slot]);
    }
}

/// The same for some of `all` rows.
fn part_of(how: &CopyHow, rows: std::ops::Range<usize>, all: usize) -> CopyHow {
    let multiply = match &how.multiply {
        Some(Multiply::Rows(slot)) => Some(Multiply::Rows(slot.range(rows))),
        Some(Multiply::Columns(m)) if m.rows() == all => Some(Multiply::Columns(m.part(rows))),
        other => other.clone(),
    };
    CopyHow { multiply, ..how.clone() }
}

impl Kernel for CopyColumns {
    const INFO: &'static KernelInfo = info!(
        CopyColumns,
        "copy_columns",
        &[Binding::read("x"), Binding::read("m"), Binding::read_write("out")],
        &[Override { name: "MULTIPLY", values: &[0, 1, 2] }]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.rows * self.cols)
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let (x, m, out) = (args.read(), args.read(), args.write());
        let CopyColumns { rows, cols, flip_rows, .. } = *self;
        for row in 0..rows {
            let from_row = match flip_rows {
                0 => row,
                samples => rows - samples - (row - row % samples) + row % samples,
            };
            for col in 0..cols {
                let value = x[(self.x_at + from_row * self.x_width + col * self.x_stride) as usize];
                let scaled = if self.scale == 1.0 { value } else { T::of(self.scale) * value };
                let value = match options.get("MULTIPLY") {
                    0 => scaled,
                    1 => scaled * m[(self.m_at + (row % self.m_rows) * self.m_width + col * self.m_stride) as usize],
                    _ => scaled * m[(self.m_at + row) as usize],
                };
                let at = (self.out_at + row * self.out_width + col * self.out_stride) as usize;
                out[at] = if self.accumulate != 0 { value + out[at] } else { value };
            }
        }
    }
}
