// Activation functions and their slopes; the twin of src/kernels/activation.rs. The backward pass keeps `activation_saved`: the
// value y where the slope follows from it, the input x where it does not, or not without losing digits. NaN stays NaN.

const LINEAR: u32 = 0u;
const SIGMOID: u32 = 1u;
const TANH: u32 = 2u;
const RELU: u32 = 3u;
const HARD_SIGMOID: u32 = 4u;
const RELU6: u32 = 5u;
const LEAKY_RELU: u32 = 6u;
const SOFTSIGN: u32 = 7u;
const ELU: u32 = 8u;
const SELU: u32 = 9u;
const SILU: u32 = 10u;
const GELU: u32 = 11u;
const EXPONENTIAL: u32 = 12u;
const SOFTPLUS: u32 = 13u;
const HARD_TANH: u32 = 14u;
const MISH: u32 = 15u;
const HARD_SILU: u32 = 16u;
const LOG_SIGMOID: u32 = 17u;

const LEAKY_RELU_SLOPE: f32 = 0.2;
const SELU_SCALE: f32 = 1.0507009873554805;
const SELU_ALPHA: f32 = 1.6732632423543772;

fn activation_value(kind: u32, x: f32) -> f32 {
    if is_nan(x) { return x; }
    switch kind {
        case SIGMOID: { return sigmoid(x); }
        case TANH: { return tanh_safe(x); }
        case RELU: { return max(x, 0.0); }
        case HARD_SIGMOID: { return hard_sigmoid(x); }
        case RELU6: { return clamp(x, 0.0, 6.0); }
        case LEAKY_RELU: { return max(x, LEAKY_RELU_SLOPE * x); }
        case SOFTSIGN: { return x / (1.0 + abs(x)); }
        case ELU: { return max(x, 0.0) + expm1_negative(min(x, 0.0)); }
        case SELU: { return SELU_SCALE * (max(x, 0.0) + SELU_ALPHA * expm1_negative(min(x, 0.0))); }
        case SILU: { return x * sigmoid(x); }
        case GELU: { return x * normal_cdf(x); }
        case EXPONENTIAL: { return exp_any(x); }
        case SOFTPLUS: { return softplus(x); }
        case HARD_TANH: { return clamp(x, -1.0, 1.0); }
        case MISH: { return x * tanh_of_softplus(x).x; }
        case HARD_SILU: { return x * hard_sigmoid(x); }
        case LOG_SIGMOID: { return -softplus(-x); }
        default: { return x; }
    }
}

// Whether the backward pass keeps x, not y.
fn activation_saves_input(kind: u32) -> bool {
    switch kind {
        case SOFTSIGN, SILU, GELU, SOFTPLUS, MISH, HARD_SILU, LOG_SIGMOID: { return true; }
        default: { return false; }
    }
}

fn activation_saved(kind: u32, x: f32) -> f32 {
    if activation_saves_input(kind) { return x; }
    return activation_value(kind, x);
}

// y from what is saved.
fn activation_restore(kind: u32, saved: f32) -> f32 {
    if activation_saves_input(kind) { return activation_value(kind, saved); }
    return saved;
}

// dy/dx from what is saved: y, or x where the input is saved.
fn activation_slope(kind: u32, saved: f32) -> f32 {
    if is_nan(saved) { return saved; }
    if activation_saves_input(kind) { return slope_from_input(kind, saved); }
    let y = saved;
    switch kind {
        case SIGMOID: { return y * (1.0 - y); }
        case TANH: { return 1.0 - y * y; }
        case RELU: { return select(0.0, 1.0, y > 0.0); }
        case HARD_SIGMOID: { return select(0.0, 1.0 / 6.0, y > 0.0 && y < 1.0); }
        case RELU6: { return select(0.0, 1.0, y > 0.0 && y < 6.0); }
        case LEAKY_RELU: { return select(LEAKY_RELU_SLOPE, 1.0, y >= 0.0); }
        case ELU: { return min(y, 0.0) + 1.0; }
        case SELU: { return select(y + SELU_SCALE * SELU_ALPHA, SELU_SCALE, y > 0.0); }
        case EXPONENTIAL: { return y; }
        case HARD_TANH: { return select(0.0, 1.0, abs(y) < 1.0); }
        default: { return 1.0; }
    }
}

// 1 - sigmoid(x) is formed as sigmoid(-x), which loses no digits; likewise 1 - tanh.
fn slope_from_input(kind: u32, x: f32) -> f32 {
    switch kind {
        case SOFTSIGN: {
            let r = 1.0 / (1.0 + abs(x));
            return r * r;
        }
        case SILU: { return sigmoid(x) * (1.0 + x * sigmoid(-x)); }
        case GELU: { return normal_cdf(x) + x * (0.3989422804014327 * exp_negative(-0.5 * x * x)); }
        case SOFTPLUS: { return sigmoid(x); }
        case MISH: {
            let t = tanh_of_softplus(x);
            return t.x + x * (t.y * (1.0 + t.x)) * sigmoid(x);
        }
        case HARD_SILU: { return hard_sigmoid(x) + select(0.0, x / 6.0, abs(x) < 3.0); }
        default: { return sigmoid(-x); } // LOG_SIGMOID
    }
}

fn hard_sigmoid(x: f32) -> f32 {
    return clamp(x + 3.0, 0.0, 6.0) / 6.0;
}

// ln(1 + e^x) without overflow.
fn softplus(x: f32) -> f32 {
    return max(x, 0.0) + log1p_unit(exp_negative(-abs(x)));
}

// t = tanh(ln(1 + e^x)), and 1 - t without cancellation.
fn tanh_of_softplus(x: f32) -> vec2<f32> {
    let e = exp_negative(-abs(x));
    if x > 0.0 {
        let n = 1.0 + 2.0 * e;
        return vec2(n, 2.0 * e * e) / (n + 2.0 * e * e);
    }
    let n = e * (e + 2.0);
    return vec2(n, 2.0) / (n + 2.0);
}

// The standard normal distribution function. Below 0 it is e^(-x²/2) erfcx(|x| / sqrt 2) / 2, the last factor by a polynomial in
// 1 / (1 + 0.35 |x|) fitted on |x| <= 13.5 (relative error 3 ulp), beyond which the result is subnormal.
fn normal_cdf(x: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.35 * abs(x));
    let low = ((((-0.029125871136784554 * t + 0.14387226104736328) * t - 0.2555046081542969) * t + 0.15892934799194336) * t
        - 0.02293717861175537) * t + 0.10543294996023178;
    let q = (((low * t + 0.11985243111848831) * t + 0.13985908031463623) * t + 0.1396215707063675) * t;
    let tail = q * exp_negative(-0.5 * x * x);
    return select(tail, 1.0 - tail, x > 0.0);
}
