// The LSTM's cell and its gradient, shared by every engine of the recurrence. Gates in Keras's order i, f, c, o.
// c' = f c + i g;  h' = o tanh(c')  (Hochreiter & Schmidhuber 1997; Gers et al. 2000).

struct Cell {
    gates: vec4<f32>, // activated
    c: f32,
    h: f32,
}

fn lstm_cell(z: vec4<f32>, c_prev: f32) -> Cell {
    let gates = vec4(sigmoid(z.x), sigmoid(z.y), tanh_safe(z.z), sigmoid(z.w));
    let c = gates.y * c_prev + gates.x * gates.z;
    return Cell(gates, c, gates.w * tanh_safe(c));
}

struct CellGrad {
    dz: vec4<f32>, // before activation
    dc_prev: f32,
}

fn lstm_cell_grad(gates: vec4<f32>, c_prev: f32, c: f32, dh: f32, dc_next: f32) -> CellGrad {
    let tanh_c = tanh_safe(c);
    let dc = dc_next + dh * gates.w * (1.0 - tanh_c * tanh_c);
    let dz = vec4(
        dc * gates.z * (gates.x * (1.0 - gates.x)),
        dc * c_prev * (gates.y * (1.0 - gates.y)),
        dc * gates.x * (1.0 - gates.z * gates.z),
        dh * tanh_c * (gates.w * (1.0 - gates.w)),
    );
    return CellGrad(dz, dc * gates.y);
}
