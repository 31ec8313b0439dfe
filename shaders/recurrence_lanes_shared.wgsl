// What the engines of lanes share, forwards and backwards, whatever the cell: how units and rows are dealt out to the lanes.
const LANES: u32 = 8u;
const TERMS: u32 = 2u; // that are multiplied and added up at once
const ROWS_OF_LOAD: u32 = LANES / TERMS;
const LOADS: u32 = ROWS / ROWS_OF_LOAD;

// A lane's sums: of each row that of each of its units across. Loops over them take each index from one loop alone, or drivers do not see
// that the arrays can be resolved into single numbers.
alias Sums = array<array<array<f32, ACROSS>, ROWS_OF_LOAD>, LOADS>;
alias Sums4 = array<array<array<vec4<f32>, ACROSS>, ROWS_OF_LOAD>, LOADS>;

// The units of a lane from `first_unit` on that are there, as many as it takes at a time. Drivers must not know it, or they compile
// what follows once for each.
fn units_across(first_unit: u32) -> u32 {
    return min(ACROSS, (p.units - first_unit + LANES - 1u) / LANES);
}

// The two that a load gives a lane: the row, of those from `first_row` on, and the term, past the edge the last one of each.
fn row_of_lane(first_row: u32, lane: u32) -> u32 {
    return min(first_row + lane / TERMS, p.rows - 1u);
}

fn term_of_lane(k: u32, lane: u32) -> u32 {
    return min(k + lane % TERMS, p.units - 1u);
}

// Of what a lane leaves for itself, since drivers are slow with what is indexed by what they do not know.
fn place(row: u32, i: u32, lane: u32) -> u32 {
    return (row * ACROSS + i) * LANES + lane;
}
