//! Tensors of several time steps, cut by rows of the batch.

use std::ops::Range;

/// The rows of each part in a matrix of this width.
pub(super) fn cut_rows<'a>(mut matrix: &'a mut [f32], width: usize, parts: &[Range<usize>]) -> Vec<&'a mut [f32]> {
    let mut of_part = |rows: &Range<usize>| {
        let (mine, rest) = std::mem::take(&mut matrix).split_at_mut(rows.len() * width);
        matrix = rest;
        mine
    };
    parts.iter().map(&mut of_part).collect()
}

/// Of `tensor`, which holds one matrix of `rows` x `width` behind the other, the rows of each part in every matrix.
pub(super) fn by_rows<'a>(
    tensor: &'a mut [f32],
    [rows, width]: [usize; 2],
    parts: &[Range<usize>],
) -> Vec<Vec<&'a mut [f32]>> {
    let matrices = tensor.len() / (rows * width).max(1);
    let mut cut: Vec<Vec<&mut [f32]>> = parts.iter().map(|_| Vec::with_capacity(matrices)).collect();
    for matrix in tensor.chunks_exact_mut((rows * width).max(1)) {
        cut_rows(matrix, width, parts).into_iter().zip(&mut cut).for_each(|(mine, of_part)| of_part.push(mine));
    }
    cut
}

/// Parts of a tensor that lie one behind the other, perhaps with something between them.
pub(super) fn cut_out(tensor: &mut [f32], parts: impl Iterator<Item = Range<usize>>) -> Vec<&mut [f32]> {
    let (mut rest, mut end) = (tensor, 0);
    let cut = |part: Range<usize>| {
        let (mine, behind) = std::mem::take(&mut rest)[part.start - end..].split_at_mut(part.len());
        (rest, end) = (behind, part.end);
        mine
    };
    parts.map(cut).collect()
}

/// Two different ones of several slices, the first to read and the second to write.
pub(super) fn two<'a>(slices: &'a mut [&mut [f32]], read: usize, write: usize) -> (&'a [f32], &'a mut [f32]) {
    if read < write {
        let (low, high) = slices.split_at_mut(write);
        (low[read], high[0])
    } else {
        let (low, high) = slices.split_at_mut(read);
        (high[0], low[write])
    }
}

/// Rows one behind the other that have the same fate in a time step, and whether they keep their state, which is where the mask is 0.
pub(super) fn spans(mask: &[f32]) -> impl Iterator<Item = (bool, Range<usize>)> {
    let mut end = 0;
    mask.chunk_by(|a, b| (*a == 0.0) == (*b == 0.0)).map(move |rows| {
        let first = end;
        end += rows.len();
        (rows[0] == 0.0, first..end)
    })
}
