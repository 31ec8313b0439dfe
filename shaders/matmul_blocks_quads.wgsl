// A's numbers lie side by side in whole vec4s, along its terms or its rows.
@group(1) @binding(0) var<storage, read> a4: array<vec4<f32>>;

// Four terms of eight rows of A: of a row a lane where terms lie side by side, or else (`turned`) lanes 0 to 3 hold four rows of one
// term each, lanes 4 to 7 the next four. Rows past the edge read the last ones again, terms past the end are 0.
fn load_a(row: u32, k: u32, last: u32, lane: u32, turned: bool) -> vec4<f32> {
    if turned {
        let own = k + lane % TERMS;
        let read_row = min(row + lane / TERMS * TERMS, p.m - 4u);
        return select(vec4<f32>(), a4[(p.a_at + read_row + min(own, last - 1u) * p.a_col) / 4u], own < last);
    }
    return a4[(p.a_at + min(row + lane, p.m - 1u) * p.a_row + k) / 4u];
}
