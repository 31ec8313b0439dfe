//! Matrix products.

mod cut;

use std::borrow::Cow;

use self::cut::{CACHED_TERMS, LEAST_TERMS};
use super::fast::{self, Workers};
use super::half::{power_back, power_of};
use super::info::{info, params};
use super::variant::in_vec4s;
use super::{
    Args, Binding, Cooperative, Dispatch, Kernel, KernelInfo, Largest, Options, Override, Precision, RUN, Real, Traits,
    Variant,
};
use crate::plan::{Plan, Slot};

params! {
    /// C = A·B (+ C) (+ bias), A and B as they are or rounded to half precision ([`super::half`]).
    pub struct Matmul {
        /// Rows of C.
        pub m: u32,
        /// Columns of C.
        pub n: u32,
        /// Terms of each sum.
        pub k: u32,
        /// Where A begins in its binding; set by `record`, as for B and C.
        pub a_at: u32,
        /// Distance of A's rows.
        pub a_row: u32,
        /// Distance of A's columns.
        pub a_col: u32,
        /// Where B begins.
        pub b_at: u32,
        /// Distance of B's rows.
        pub b_row: u32,
        /// Distance of B's columns.
        pub b_col: u32,
        /// Where C begins.
        pub c_at: u32,
        /// Terms of one part, where a variant splits K; set by it.
        pub k_part: u32,
        /// Parts that there is room for; set by `record`.
        pub most_parts: u32,
        /// 1: results are parts; set by a variant.
        pub to_parts: u32,
        /// 1: add to C.
        pub accumulate: u32,
        /// 1: add bias to every row.
        pub has_bias: u32,
    }
}

/// Slots of [`Matmul`].
pub struct MatmulSlots {
    /// `[M, K]` by strides
    pub a: Slot,
    /// `[K, N]` by strides
    pub b: Slot,
    /// `[N]`
    pub bias: Option<Slot>,
    /// `[M, N]`
    pub c: Slot,
}

/// The override that rounds A and B to half precision.
const HALF: &str = "HALF";
/// Elements of all parts together: a product of more results is not split over K.
const PARTS_ELEMENTS: usize = 1 << 21;
/// Workgroups that keep a GPU busy: as many as make a product worth splitting.
const ENOUGH_GROUPS: u32 = 256;
/// Most parts: what adds them up reads them one after another.
const MOST_PARTS: usize = 64;
/// Multiplications and additions of a dispatch on a CPU, a fraction of a second even of a slow one: drivers stop what takes long.
const DISPATCH_FLOPS: u64 = 1 << 30;
/// The same on a GPU, which wants enough workgroups.
const GPU_DISPATCH_FLOPS: u64 = 1 << 33;

/// Multiplications of a product from which on blocks of whole vec4s are worth their compilation: 10 to 15 % faster than those that take
/// any A and are there anyway, for the gradients of a first layer's weights.
const WORTH_COMPILING: u64 = 1 << 28;

/// Cooperative matrices along each side of what a workgroup holds of C.
const OF_COOPERATIVE: u32 = 4;

const MAIN: usize = 0;
const WHOLE: usize = 1;
/// Rows and columns of C, and terms, that variants of tiles go through at once.
const TILES: [(usize, u32); 3] = [(2, 32), (3, 64), (4, 128)];
const BLOCKS: usize = 5;
/// The same where A's numbers do not lie in vec4s.
const ANY_BLOCKS: usize = 6;
/// Rows and columns of C that a workgroup of these holds. More and fewer rows were tried: each size that is used is compiled once more,
/// which takes longer than the hundreds of steps in which it would be made up for.
const BLOCK: [u32; 2] = [32, 32];

impl Matmul {
    /// A product that begins with its slots; strides as of rows that lie one behind the other.
    pub fn new([m, n, k]: [usize; 3]) -> Matmul {
        let zero: Matmul = bytemuck::Zeroable::zeroed();
        let [m, n, k] = [m, n, k].map(|size| size as u32);
        Matmul { m, n, k, a_row: k, a_col: 1, b_row: n, b_col: 1, k_part: k, ..zero }
    }

    /// Appends this product in the plan's precision; offsets, the bias flag and room for parts are set here.
    pub fn record(self, plan: &mut Plan, slots: MatmulSlots) {
        let largest = match plan.precision() {
            Precision::F32 => None,
            Precision::F16 => Some([&slots.a, &slots.b].map(|x| Largest::of(plan, x))),
        };
        self.record_of(largest, plan, slots);
    }

    /// The same in half precision where the largest magnitudes of A and B are given.
    pub(crate) fn record_of(mut self, largest: Option<[Slot; 2]>, plan: &mut Plan, slots: MatmulSlots) {
        let options = if largest.is_some() { Options::one(HALF, 1) } else { Options::none() };
        let [a_largest, b_largest] = largest.unwrap_or_else(|| [plan.nothing_u32(), plan.nothing_u32()]);
        let (a, a_at) = slots.a.aligned();
        let (b, b_at) = slots.b.aligned();
        let (c, c_at) = slots.c.aligned();
        self.has_bias = slots.bias.is_some().into();
        let bias = slots.bias.unwrap_or_else(|| plan.nothing());
        let [m, n] = [self.m, self.n].map(|size| size as usize);
        let room = PARTS_ELEMENTS.min(plan.binding_elements()) / (m * n);
        let most_parts = room.clamp(1, MOST_PARTS).min(self.k.div_ceil(LEAST_TERMS) as usize);
        let parts = match most_parts {
            1 => plan.unused(),
            parts => plan.scratch("parts", &[parts, m, n]),
        };
        let product = Matmul { a_at, b_at, c_at, most_parts: most_parts as u32, ..self };
        product.push(plan, options, &[&a, &b, &bias, &a_largest, &b_largest, &c, &parts]);
    }

    /// The dispatches of what is not cut into pieces.
    fn dispatches_of_piece(&self, variant: usize) -> Vec<Dispatch<Self>> {
        // Where C alone gives too few workgroups, parts of K make more.
        let for_enough = |side: u32, enough: u32| enough / (self.m.div_ceil(side) * self.n.div_ceil(side));
        if let Some(Cooperative { size, .. }) = Self::VARIANTS[variant].cooperative {
            let side = OF_COOPERATIVE * size;
            return self.split("cooperative", [side; 2], for_enough(side, ENOUGH_GROUPS));
        }
        match variant {
            WHOLE => self.split("main", [32, 32], 1),
            _ => match (size_of(&TILES, variant), self.blocks(variant)) {
                (Some(side), _) => self.split("tiles", [side, side], for_enough(side, ENOUGH_GROUPS)),
                (_, Some(entry)) => self.split(entry, BLOCK, self.k / CACHED_TERMS),
                _ => self.split("main", [32, 32], for_enough(32, ENOUGH_GROUPS / 4)),
            },
        }
    }

    /// The entry point of blocks, along those axes of A and B whose numbers lie side by side in whole vec4s; B and C must have one.
    fn blocks_entry(&self, any_a: bool) -> Option<&'static str> {
        let rows = any_a || self.a_col == 1 && in_vec4s(&[self.a_at, self.a_row, self.k]);
        let turned = self.a_row == 1 && in_vec4s(&[self.a_at, self.a_col, self.m]);
        let along_n = self.b_col == 1 && in_vec4s(&[self.b_at, self.b_row]);
        let along_k = self.b_row == 1 && in_vec4s(&[self.b_at, self.b_col, self.k]);
        match (rows, along_n) {
            _ if !in_vec4s(&[self.n, self.c_at]) => None,
            (true, true) => Some("rows_n"),
            (true, false) => along_k.then_some("rows_k"),
            (false, true) => turned.then_some("turned_n"),
            (false, false) => None,
        }
    }

    /// The entry point of a variant of blocks.
    fn blocks(&self, variant: usize) -> Option<&'static str> {
        let any = variant == ANY_BLOCKS;
        if any || variant == BLOCKS { self.blocks_entry(any) } else { None }
    }
}

impl Kernel for Matmul {
    const INFO: &'static KernelInfo = info!(
        Matmul,
        "matmul",
        &[
            Binding::read("a"),
            Binding::read("b"),
            Binding::read("bias"),
            Binding::read("a_largest").u32(),
            Binding::read("b_largest").u32(),
            Binding::read_write("c"),
            Binding::scratch("parts")
        ],
        &[Override { name: HALF, values: &[0, 1] }]
    );

    const VARIANTS: &'static [Variant] = &[
        Variant::named("main", &["main", "add_parts"]),
        Variant::named("whole", &["main"]),
        tiles("tiles32", &[("SIDE", 8), ("QUADS", 1), ("DEPTH", 16)]),
        tiles("tiles64", &[("SIDE", 16), ("QUADS", 1), ("DEPTH", 16)]),
        tiles("tiles128", &[("SIDE", 16), ("QUADS", 2), ("DEPTH", 8)]),
        Variant {
            wgsl: concat!(
                include_str!("../../shaders/matmul_blocks.wgsl"),
                include_str!("../../shaders/matmul_blocks_quads.wgsl")
            ),
            subgroups: true,
            ..Variant::named("blocks", &["rows_n", "rows_k", "turned_n", "add_parts"])
        },
        Variant {
            wgsl: concat!(
                include_str!("../../shaders/matmul_blocks.wgsl"),
                include_str!("../../shaders/matmul_blocks_any.wgsl")
            ),
            subgroups: true,
            ..Variant::named("any_blocks", &["rows_n", "rows_k", "add_parts"])
        },
        cooperative("half16_of_32", 16, Precision::F16, 32),
        cooperative("half16_of_64", 16, Precision::F16, 64),
        cooperative("half8_of_32", 8, Precision::F16, 32),
        cooperative("half8_of_8", 8, Precision::F16, 8),
        cooperative("single8_of_32", 8, Precision::F32, 32),
        cooperative("single8_of_8", 8, Precision::F32, 8),
    ];

    fn grid(&self) -> [u32; 3] {
        [self.n.div_ceil(32), self.m.div_ceil(32), 1]
    }

    fn dispatches(&self, _: &Options, variant: usize) -> Vec<Dispatch<Self>> {
        let of_gpu = Self::VARIANTS[variant].cooperative.is_some() || size_of(&TILES, variant).is_some();
        let pieces = self.pieces(if of_gpu { GPU_DISPATCH_FLOPS } else { DISPATCH_FLOPS });
        pieces.iter().flat_map(|piece| piece.dispatches_of_piece(variant)).collect()
    }

    fn fits(&self, options: &Options, variant: usize, traits: &Traits) -> bool {
        let in_lanes = || traits.subgroup == Some((8, 8)) && self.blocks(variant).is_some();
        match Self::VARIANTS.get(variant) {
            Some(Variant { cooperative: Some(matrices), .. }) => {
                matrices.of == precision(options) && matrices.fits(traits)
            }
            Some(known) => !known.subgroups || in_lanes(),
            None => false,
        }
    }

    /// Cooperative matrices, where they are asked for and not too large. Else on software drivers blocks, on GPUs the largest tiles that
    /// leave enough workgroups.
    fn preferred(&self, options: &Options, traits: &Traits) -> usize {
        let fitting = (0..Self::VARIANTS.len()).filter(|&number| self.fits(options, number, traits));
        let cooperative = |number: usize| Self::VARIANTS[number].cooperative.map(|c| (number, OF_COOPERATIVE * c.size));
        let filled = |&(_, side): &(usize, u32)| self.m >= side / 2 && self.n >= side / 2;
        if let Some((number, _)) = fitting.filter_map(cooperative).find(filled) {
            return number;
        }
        if traits.software {
            let small = (u64::from(self.m) * u64::from(self.n) * u64::from(self.k)) < WORTH_COMPILING;
            // Along B's terms any A takes nearly twice as long.
            let any_first = small && self.blocks(ANY_BLOCKS) == Some("rows_n");
            let blocks = if any_first { [ANY_BLOCKS, BLOCKS] } else { [BLOCKS, ANY_BLOCKS] };
            return blocks.into_iter().find(|&variant| self.fits(options, variant, traits)).unwrap_or(WHOLE);
        }
        let groups = |side: u32| self.m.div_ceil(side) * self.n.div_ceil(side) * self.k.div_ceil(self.part_terms(64));
        let enough = TILES.iter().rev().find(|&&(_, side)| groups(side) >= 128);
        let small = self.m.min(self.n) < 8;
        if small { MAIN } else { enough.map_or(TILES[0].0, |&(number, _)| number) }
    }

    fn flops(&self, _: &Options) -> f64 {
        2.0 * self.m as f64 * self.n as f64 * self.k as f64
    }

    fn fast_f32(&self, options: &Options, args: Args<'_, f32>, workers: &Workers) {
        fast::matmul(self, MatmulArgs::of(options, args), workers);
    }

    fn reference<T: Real>(&self, options: &Options, args: Args<'_, T>) {
        let MatmulArgs { a, b, bias, c, power_back } = MatmulArgs::of(options, args);
        let (m, n) = (self.m as usize, self.n as usize);
        let mut sums = vec![T::zero(); n];
        for row in 0..m {
            self.row_sums(&a, &b, row, &mut sums);
            let at = self.c_at as usize + row * n;
            for (col, out) in c[at..at + n].iter_mut().enumerate() {
                let sum = sums[col].times_two_to(power_back);
                let with_bias = if self.has_bias != 0 { sum + bias[col] } else { sum };
                *out = if self.accumulate != 0 { with_bias + *out } else { with_bias };
            }
        }
    }
}

/// What a product is computed of.
pub(super) struct MatmulArgs<'a, T: Clone> {
    pub a: Cow<'a, [T]>,
    pub b: Cow<'a, [T]>,
    pub bias: &'a [T],
    pub c: &'a mut [T],
    /// log2 of what undoes the scaling of A and B.
    pub power_back: i32,
}

impl<'a, T: Real> MatmulArgs<'a, T> {
    /// The slots; of A and B what half precision leaves, where it is asked for.
    fn of(options: &Options, mut args: Args<'a, T>) -> Self {
        let (a, b, bias) = (args.read(), args.read(), args.read());
        let powers = [args.read_u32(), args.read_u32()].map(power_of);
        let c = args.write();
        if precision(options) == Precision::F32 {
            return MatmulArgs { a: a.into(), b: b.into(), bias, c, power_back: 0 };
        }
        let halved = |x: &[T], power| x.iter().map(|x| x.halved(power)).collect::<Vec<T>>().into();
        MatmulArgs {
            a: halved(a, powers[0]),
            b: halved(b, powers[1]),
            bias,
            c,
            power_back: power_back(powers[0], powers[1]),
        }
    }
}

/// In what precision A and B are taken.
fn precision(options: &Options) -> Precision {
    if options.get(HALF) == 0 { Precision::F32 } else { Precision::F16 }
}

/// The size that a variant has among some.
fn size_of(sizes: &[(usize, u32)], variant: usize) -> Option<u32> {
    sizes.iter().find(|&&(number, _)| number == variant).map(|&(_, size)| size)
}

/// `matmul_cooperative.wgsl` with matrices of a size and kind, for subgroups of so many threads.
const fn cooperative(name: &'static str, size: u32, of: Precision, lanes: u32) -> Variant {
    let wgsl = include_str!("../../shaders/matmul_cooperative.wgsl");
    let cooperative = Some(Cooperative { size, of, lanes });
    Variant { wgsl, cooperative, subgroups: true, ..Variant::named(name, &["cooperative", "add_parts"]) }
}

/// `matmul_tiles.wgsl` with the sizes of its tiles.
const fn tiles(name: &'static str, constants: &'static [(&'static str, u32)]) -> Variant {
    let wgsl = include_str!("../../shaders/matmul_tiles.wgsl");
    Variant { wgsl, constants, ..Variant::named(name, &["tiles", "add_parts"]) }
}

impl Matmul {
    /// Sums of one row of C; the inner loop runs along whichever of B's axes is contiguous.
    fn row_sums<T: Real>(&self, a: &[T], b: &[T], row: usize, sums: &mut [T]) {
        let a_of = |k: u32| a[self.a_at as usize + row * self.a_row as usize + k as usize * self.a_col as usize];
        let (b_at, b_row, b_col) = (self.b_at as usize, self.b_row as usize, self.b_col as usize);
        sums.fill(T::zero());
        for first in (0..self.k).step_by(RUN) {
            let run = first..self.k.min(first + RUN as u32);
            if b_col == 1 {
                let rows = run.map(|k| (a_of(k), &b[b_at + k as usize * b_row..][..self.n as usize]));
                add_run(sums, rows);
            } else {
                for (col, sum) in sums.iter_mut().enumerate() {
                    let terms = run.clone().map(|k| a_of(k) * b[b_at + k as usize * b_row + col * b_col]);
                    *sum = *sum + terms.fold(T::zero(), |s, term| s + term);
                }
            }
        }
    }
}

/// sums += Σ factor·row over at most [`RUN`] rows, whose sum is formed first.
pub(super) fn add_run<'a, T: Real>(sums: &mut [T], rows: impl Iterator<Item = (T, &'a [T])>) {
    let mut run: [(T, &[T]); RUN] = [(T::zero(), &[]); RUN];
    let mut len = 0;
    for row in rows {
        run[len] = row;
        len += 1;
    }
    if let [(f0, r0), (f1, r1), (f2, r2), (f3, r3), (f4, r4), (f5, r5), (f6, r6), (f7, r7)] = run
        && len == RUN
    {
        let n = sums.len();
        let (r0, r1, r2, r3) = (&r0[..n], &r1[..n], &r2[..n], &r3[..n]);
        let (r4, r5, r6, r7) = (&r4[..n], &r5[..n], &r6[..n], &r7[..n]);
        for (i, sum) in sums.iter_mut().enumerate() {
            let low = f0 * r0[i] + f1 * r1[i] + f2 * r2[i] + f3 * r3[i];
            let high = f4 * r4[i] + f5 * r5[i] + f6 * r6[i] + f7 * r7[i];
            *sum = *sum + (low + high);
        }
    } else {
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = *sum + run[..len].iter().fold(T::zero(), |s, &(factor, row)| s + factor * row[i]);
        }
    }
}
