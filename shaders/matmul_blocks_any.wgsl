// A's numbers lie anyhow: four loads of one number.

// Four terms of eight rows of A, of a row a lane; never `turned`. Rows past the edge read the last one again, terms past the end are 0.
fn load_a(row: u32, k: u32, last: u32, lane: u32, turned: bool) -> vec4<f32> {
    let own = vec4(k) + vec4(0u, 1u, 2u, 3u);
    let at = p.a_at + min(row + lane, p.m - 1u) * p.a_row + min(own, vec4(last - 1u)) * p.a_col;
    return select(vec4<f32>(), vec4(a[at.x], a[at.y], a[at.z], a[at.w]), own < vec4(last));
}
