// What the engines of lanes share, forwards and backwards, whatever the cell: how units and rows are dealt out to the lanes.
const LANES: u32 = 8u;
const TERMS: u32 = 4u; // that are multiplied and added up at once
const PAIRS: u32 = ROWS / 2u;

// The units of a lane from `first_unit` on that are there, as many as it takes at a time. Drivers must not know it, or they compile
// what follows once for each.
fn units_across(first_unit: u32) -> u32 {
    return min(ACROSS, (p.units - first_unit + LANES - 1u) / LANES);
}

// Of what a lane leaves for itself, since drivers are slow with what is indexed by what they do not know.
fn place(row: u32, i: u32, lane: u32) -> u32 {
    return (row * ACROSS + i) * LANES + lane;
}
