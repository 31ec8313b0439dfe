// Appended to every kernel: random numbers that depend on nothing but a key, the training step and an index (the counter-based
// generator Philox-4x32-10 of Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", 2011). The same integers as in
// src/kernels/random.rs.

// The upper 32 bits of a product, from products of halves.
fn multiply_high(a: u32, b: u32) -> u32 {
    let al = a & 0xffffu;
    let ah = a >> 16u;
    let bl = b & 0xffffu;
    let bh = b >> 16u;
    let low_high = al * bh;
    let high_low = ah * bl;
    let middle = ((al * bl) >> 16u) + (low_high & 0xffffu) + (high_low & 0xffffu);
    return ah * bh + (low_high >> 16u) + (high_low >> 16u) + (middle >> 16u);
}

fn philox(start: vec4<u32>, start_key: vec2<u32>) -> vec4<u32> {
    var c = start;
    var key = start_key;
    for (var round = 0u; round < 10u; round++) {
        let high_0 = multiply_high(0xd2511f53u, c.x);
        let high_1 = multiply_high(0xcd9e8d57u, c.z);
        c = vec4<u32>(high_1 ^ c.y ^ key.x, 0xcd9e8d57u * c.z, high_0 ^ c.w ^ key.y, 0xd2511f53u * c.x);
        key += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
    }
    return c;
}

// What dropout multiplies by: 0 where the word of this index lies below the threshold, rate 2^32, else 1 / (1 - rate).
fn dropout_factor(index: u32, key: vec2<u32>, threshold: u32, rate: f32) -> f32 {
    let words = philox(vec4<u32>(index >> 2u, scalars.step, 0u, 0u), key);
    return select(0.0, 1.0 / (1.0 - rate), words[index & 3u] >= threshold);
}
