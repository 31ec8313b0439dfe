//! Rows of a table by number.

use super::super::case::{At, Builder};
use super::super::draw::{FEATURES, Numbers, ROWS};
use crate::kernels::{Embed, EmbedGrad, EmbedGradSlots, EmbedLinks, EmbedLinksSlots, EmbedSlots, Options};

/// Numbers below `names`; a few name nothing.
fn ids(b: &mut Builder, rows: usize, names: usize) -> Vec<f32> {
    let id = |b: &mut Builder| match b.draw.below(40) {
        0 => -1.0,
        1 => names as f32,
        _ => b.draw.below(names) as f32,
    };
    (0..rows).map(|_| id(b)).collect()
}

fn names(b: &mut Builder) -> usize {
    b.draw.size(&[1, 2, 3, 10, 29, 200, 1000], 1000)
}

pub(super) fn embed(b: &mut Builder, _: &Options) {
    let tiny = b.perhaps_tiny_bindings();
    let rows = b.draw.size(&ROWS, 1 << 12);
    let features = if tiny { b.draw.size(&[1, 2, 3, 5, 7, 8, 15], 64) } else { b.draw.size(&FEATURES, 64) };
    let names = if tiny { 1 + b.draw.below(60) } else { names(b) };
    let ids = ids(b, rows, names);
    let ids = b.holding("ids", ids, At::Aligned);
    let table = b.input("table", names * features, Numbers::Unit);
    let y = b.output("y", rows * features, false, At::Aligned);
    let kernel = Embed { rows: rows as u32, features: features as u32, names: names as u32 };
    kernel.record_whole(&mut b.plan, EmbedSlots { ids, table, y });
}

pub(super) fn embed_links(b: &mut Builder, _: &Options) {
    let rows = b.draw.size(&ROWS, 1 << 12);
    let names = names(b);
    let ids = ids(b, rows, names);
    let ids = b.holding("ids", ids, At::Aligned);
    let (firsts, nexts) = (b.integers("firsts", vec![7; rows]), b.integers("nexts", vec![7; rows]));
    EmbedLinks { rows: rows as u32 }.record(&mut b.plan, &EmbedLinksSlots { ids, firsts, nexts });
}

pub(super) fn embed_grad(b: &mut Builder, _: &Options) {
    let rows = b.draw.size(&ROWS, 1 << 12);
    let features = b.draw.size(&FEATURES, 64);
    let names = names(b);
    let ids = ids(b, rows, names);
    let same = |a: usize, b: usize| ids[a] == ids[b];
    let first = |row: usize| u32::from(!(0..row).any(|before| same(before, row)));
    let next = |row: usize| (row + 1..rows).find(|&next| same(row, next)).unwrap_or(rows) as u32;
    let (firsts, nexts) = ((0..rows).map(first).collect(), (0..rows).map(next).collect());
    let ids = b.holding("ids", ids, At::Aligned);
    let (firsts, nexts) = (b.integers("firsts", firsts), b.integers("nexts", nexts));
    let dy = b.input("dy", rows * features, Numbers::Unit);
    let dtable = b.output("dtable", names * features, true, At::Aligned);
    let kernel = EmbedGrad { rows: rows as u32, features: features as u32, names: names as u32 };
    kernel.record(&mut b.plan, EmbedGradSlots { ids, firsts, nexts, dy, dtable });
}
