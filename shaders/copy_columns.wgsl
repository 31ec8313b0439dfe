// Copies, or adds, columns of one matrix to columns of another: out[row, col] (+)= scale x[row', col] m. Thread = one element.
// row' is row, or the same row of the mirrored time step where time is flipped.
struct CopyColumns {
    rows: u32, cols: u32,
    x_width: u32, x_at: u32, x_stride: u32,       // column col lies at x_at + col x_stride
    out_width: u32, out_at: u32, out_stride: u32,
    m_rows: u32, m_width: u32, m_at: u32, m_stride: u32,
    flip_rows: u32, // rows of one time step where time is flipped, else 0
    accumulate: u32,
    scale: f32,
}
override MULTIPLY: u32 = 0u; // 0: m is 1; 1: m[row mod m_rows, col]; 2: m[row]
@group(0) @binding(0) var<uniform> p: CopyColumns;
@group(1) @binding(0) var<storage, read> x: array<f32>;         // [rows, x_width]
@group(1) @binding(1) var<storage, read> m: array<f32>;         // [m_rows, m_width] or [rows]
@group(1) @binding(2) var<storage, read_write> out: array<f32>; // [rows, out_width]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.rows * p.cols { return; }
    let row = i / p.cols;
    let col = i % p.cols;
    var from_row = row;
    if p.flip_rows != 0u {
        let n = row % p.flip_rows;
        from_row = p.rows - p.flip_rows - (row - n) + n;
    }
    var value = p.scale * x[p.x_at + from_row * p.x_width + col * p.x_stride];
    if MULTIPLY == 1u { value *= m[p.m_at + (row % p.m_rows) * p.m_width + col * p.m_stride]; }
    if MULTIPLY == 2u { value *= m[p.m_at + row]; }
    let at = p.out_at + row * p.out_width + col * p.out_stride;
    if p.accumulate != 0u { value += out[at]; }
    out[at] = value;
}
