// The LSTM's cell and its gradient, shared by every engine of the recurrence. Gates in Keras's order i, f, c, o.
// c' = f c + i g;  h' = o act(c')  (Hochreiter & Schmidhuber 1997; Gers et al. 2000).
// Peepholes (Gers & Schmidhuber 2000): i and f see p c, o sees p c'. Coupled gates (Greff et al. 2017): i = 1 - f.

// What the cell is made of; the fields are override constants of the kernels.
struct CellOptions {
    activation: u32,           // of the candidate and of the output
    recurrent_activation: u32, // of the gates
    peepholes: u32,
    coupled: u32,
}

struct Cell {
    saved: vec4<f32>, // of the gates, for the gradient
    c: f32,
    h: f32,
}

// The activated gates i, f, g, o from what was saved of them.
fn restore_gates(o: CellOptions, saved: vec4<f32>) -> vec4<f32> {
    var gates = vec4(
        activation_restore(o.recurrent_activation, saved.x),
        activation_restore(o.recurrent_activation, saved.y),
        activation_restore(o.activation, saved.z),
        activation_restore(o.recurrent_activation, saved.w),
    );
    if o.coupled != 0u { gates.x = 1.0 - gates.y; }
    return gates;
}

// z before activation; `peephole` weighs the cell state that i, f and o see.
fn lstm_cell(o: CellOptions, z: vec4<f32>, c_prev: f32, peephole: vec3<f32>) -> Cell {
    var z_i = z.x;
    var z_f = z.y;
    if o.peepholes != 0u {
        z_i += peephole.x * c_prev;
        z_f += peephole.y * c_prev;
    }
    let f = activation_value(o.recurrent_activation, z_f);
    var i = 1.0 - f;
    if o.coupled == 0u { i = activation_value(o.recurrent_activation, z_i); }
    let g = activation_value(o.activation, z.z);
    let c = f * c_prev + i * g;
    var z_o = z.w;
    if o.peepholes != 0u { z_o += peephole.z * c; }
    let h = activation_value(o.recurrent_activation, z_o) * activation_value(o.activation, c);
    let saved = vec4(
        activation_saved(o.recurrent_activation, z_i),
        activation_saved(o.recurrent_activation, z_f),
        activation_saved(o.activation, z.z),
        activation_saved(o.recurrent_activation, z_o),
    );
    return Cell(saved, c, h);
}

struct CellGrad {
    dz: vec4<f32>, // before activation
    dc_prev: f32,
}

fn lstm_cell_grad(
    o: CellOptions, saved: vec4<f32>, c_prev: f32, c: f32, dh: f32, dc_next: f32, peephole: vec3<f32>,
) -> CellGrad {
    let gates = restore_gates(o, saved);
    let y = activation_value(o.activation, c);
    let dz_o = dh * y * activation_slope(o.recurrent_activation, saved.w);
    var dc = dc_next + dh * gates.w * activation_slope(o.activation, activation_saved(o.activation, c));
    if o.peepholes != 0u { dc += dz_o * peephole.z; }
    var df = dc * c_prev;
    var dz_i = 0.0;
    if o.coupled != 0u {
        df -= dc * gates.z;
    } else {
        dz_i = dc * gates.z * activation_slope(o.recurrent_activation, saved.x);
    }
    let dz_f = df * activation_slope(o.recurrent_activation, saved.y);
    let dz_g = dc * gates.x * activation_slope(o.activation, saved.z);
    var dc_prev = dc * gates.y;
    if o.peepholes != 0u {
        if o.coupled == 0u { dc_prev += dz_i * peephole.x; }
        dc_prev += dz_f * peephole.y;
    }
    return CellGrad(vec4(dz_i, dz_f, dz_g, dz_o), dc_prev);
}
