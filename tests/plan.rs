//! What a plan refuses, and how it says so.

use gatenorm::kernels::{
    Activate, ActivateSlots, BLOCK_ROWS, CellOptions, Copy, CopySlots, Extras, Fill, FillSlots, LstmSequence,
    LstmSequenceSlots, SequenceSlots, Sgd, SgdSlots, Sweep,
};
use gatenorm::plan::{ALIGNMENT, BufferSpec, Limits, Plan, Slot};

fn refusal(limits: Limits, record: impl FnOnce(&mut Plan)) -> String {
    let mut plan = Plan::new(limits);
    plan.set_scope("layer");
    record(&mut plan);
    plan.finish().expect_err("the plan is refused").to_string()
}

fn real(plan: &mut Plan, name: &str, len: usize) -> Slot {
    plan.persistent(&BufferSpec::persistent(name, &[len]))
}

fn activate(plan: &mut Plan, x: Slot, y: Slot) {
    Activate { n: x.len as u32 }.record(1, plan, ActivateSlots { x, y });
}

#[track_caller]
fn names(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "`{message}` names `{part}`");
    }
}

#[test]
fn a_sound_plan_is_taken_and_printed() {
    let mut plan = Plan::new(Limits::NONE);
    plan.set_scope("layer");
    let (x, y) = (real(&mut plan, "x", 3 * ALIGNMENT), plan.scratch("y", &[ALIGNMENT]));
    activate(&mut plan, x.range(ALIGNMENT..2 * ALIGNMENT), y);
    let plan = plan.finish().expect("sound");
    names(
        &plan.to_string(),
        &[
            "layer/activate",
            "x=x[64..128]",
            "y=layer/y",
            "ACTIVATION=1",
            "2 buffers, 1024 bytes: 768 outlive the plan, 256 are shared",
        ],
    );
}

fn lstm_sequence(rows: usize, plan: &mut Plan, [u, gates, h, c]: [Slot; 4]) {
    let cell = CellOptions { activation: 0, recurrent_activation: 0, peepholes: false, coupled: false };
    let sequence = SequenceSlots { u, gates, h, extras: Extras::default() };
    let slots = LstmSequenceSlots { sequence, c, peepholes: None };
    LstmSequence::record(Sweep { steps: 1, reverse: false }, [rows, 1], false, cell, plan, &slots);
}

#[test]
fn one_buffer_read_and_written_is_refused_even_where_the_ranges_are_apart() {
    let message = refusal(Limits::NONE, |plan| {
        let x = real(plan, "arena", 2 * ALIGNMENT);
        activate(plan, x.range(0..ALIGNMENT), x.range(ALIGNMENT..2 * ALIGNMENT));
    });
    names(&message, &["step 0", "`layer/activate`", "`x`", "`y`", "`arena`"]);
}

#[test]
fn written_ranges_that_overlap_are_refused() {
    let record = |at: usize| {
        move |plan: &mut Plan| {
            let (u, gates) = (real(plan, "u", 4), real(plan, "gates", 4));
            let states = real(plan, "states", 4 * ALIGNMENT);
            let [h, c] = [0, at].map(|at: usize| states.range(at..at + 2 * ALIGNMENT));
            lstm_sequence(1, plan, [u, gates, h, c]);
        }
    };
    names(&refusal(Limits::NONE, record(ALIGNMENT)), &["`layer/lstm_sequence`", "`c` and `h` share `states`"]);
    let mut apart = Plan::new(Limits::NONE);
    record(2 * ALIGNMENT)(&mut apart);
    apart.finish().expect("ranges that are apart may share a buffer");
}

#[test]
fn a_slot_that_begins_where_no_binding_may_is_refused() {
    let message = refusal(Limits::NONE, |plan| {
        let (x, y) = (real(plan, "x", 20), real(plan, "y", 20));
        activate(plan, x.range(1..20), y.range(0..19));
    });
    names(&message, &["`layer/activate`", "`x` bound to", "offset: 1", "[20]"]);
}

#[test]
fn a_slot_beyond_its_buffer_is_refused() {
    let message = refusal(Limits::NONE, |plan| {
        let (x, y) = (real(plan, "x", 20), real(plan, "y", 10));
        activate(plan, x, Slot { len: 20, ..y });
    });
    names(&message, &["`layer/activate`", "`y` bound to", "len: 20", "[10]"]);
}

#[test]
fn an_empty_slot_is_refused() {
    let message = refusal(Limits::NONE, |plan| {
        let out = real(plan, "out", 0);
        Fill::record(0.0, plan, FillSlots { out });
    });
    names(&message, &["`layer/fill`", "`out`", "len: 0"]);
}

#[test]
fn integers_where_real_numbers_belong_are_refused() {
    let message = refusal(Limits::NONE, |plan| {
        let [params, grads, health] = ["params", "grads", "health"].map(|name| real(plan, name, 4));
        Sgd { n: 4, momentum: 0.0 }.record(false, plan, SgdSlots { grads, health, params, m: None });
    });
    names(&message, &["`layer/sgd`", "`health` bound to"]);
}

#[test]
fn a_binding_larger_than_the_device_shows_is_refused() {
    let limits = Limits { max_binding: 1 << 20, max_buffer: 1 << 30, ..Limits::NONE };
    let message = refusal(limits, |plan| {
        let (x, out) = (real(plan, "x", 1 << 19), real(plan, "out", 1 << 19));
        Copy::record(false, plan, CopySlots { x, out });
    });
    names(&message, &["`layer/copy`", "`x` needs 2 MiB of `x`", "at most 1 MiB", "smaller batch"]);
}

#[test]
fn a_buffer_larger_than_the_device_allows_is_refused() {
    let message = refusal(Limits { max_buffer: 1 << 20, ..Limits::NONE }, |plan| {
        plan.scratch("gates", &[1 << 10, 1 << 10]);
    });
    names(&message, &["`layer/gates`", "[1024, 1024]", "needs 4 MiB", "allows 1 MiB", "smaller batch"]);
}

#[test]
fn a_grid_beyond_the_limit_is_refused() {
    let message = refusal(Limits::NONE, |plan| {
        let rows = 16 * 65_536;
        let (u, gates) = (real(plan, "u", 4), real(plan, "gates", 4 * rows));
        let (h, c) = (real(plan, "h", 2 * rows), real(plan, "c", 2 * rows));
        lstm_sequence(rows, plan, [u, gates, h, c]);
    });
    names(&message, &["`layer/lstm_sequence`", "[1, 65536, 1]", "between 1 and 65,535", "smaller batch"]);
}

#[test]
fn the_first_fault_is_told() {
    let message = refusal(Limits::NONE, |plan| {
        let (x, y) = (real(plan, "x", 10), real(plan, "y", 10));
        activate(plan, x.clone(), y.clone());
        activate(plan, x.clone(), x);
        activate(plan, y.clone(), y);
    });
    names(&message, &["step 1 ", "share `x`"]);
}

#[test]
fn a_name_used_again_gives_the_same_buffer_only_where_it_is_the_same() {
    let mut plan = Plan::new(Limits::NONE);
    let first = real(&mut plan, "w", 10);
    assert_eq!(real(&mut plan, "w", 10), first);
    real(&mut plan, "w", 20);
    let message = plan.finish().expect_err("another size").to_string();
    names(&message, &["`w`", "[10]", "[20]"]);
    let mut plan = Plan::new(Limits::NONE);
    real(&mut plan, "w", 10);
    plan.persistent(&BufferSpec::persistent("w", &[10]).u32());
    plan.finish().expect_err("another element");
}

#[test]
fn row_chunks_cover_every_row_and_fit_the_binding() {
    for (rows, width) in [(1, 1), (63, 5), (64, 5), (65, 5), (1000, 15), (1000, 1), (129, 14)] {
        let limits = Limits { max_binding: 4096, ..Limits::NONE };
        let chunks = Plan::new(limits).row_chunks(rows, &[width, 1]);
        assert_eq!(chunks.iter().map(|c| c.len()).sum::<usize>(), rows);
        assert!(chunks.windows(2).all(|pair| pair[0].end == pair[1].start));
        for chunk in chunks {
            assert_eq!(chunk.start % BLOCK_ROWS as usize, 0);
            assert!(4 * chunk.len() * width <= limits.max_binding);
        }
    }
}

#[test]
fn what_is_alike_lies_in_one_buffer_where_one_binding_can_show_it() {
    let mut plan = Plan::new(Limits { max_binding: 4 * 256, ..Limits::NONE });
    let [near, far] = [[10, 10], [10, 13]].map(|shape| plan.scratch_each("alike", &shape, 2));
    let whole = Slot { len: 228, ..near[0].clone() };
    assert_eq!(plan.window_of_both(&near[0], &near[1]), Some((whole, [0, 128])));
    assert_eq!(plan.window_of_both(&near[1], &near[0]), None, "the second lies in front");
    assert_ne!(far[0].buffer, far[1].buffer, "130 numbers are padded to 192");
    assert_eq!(plan.window_of_both(&far[0], &far[1]), None);
    let behind = near[1].range(64..100);
    assert_eq!(plan.window_of_both(&near[0].range(70..100), &behind), Some((near[0].range(64..228), [6, 128])));
}
