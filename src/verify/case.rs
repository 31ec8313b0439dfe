//! One case: a plan, what its buffers hold, and the scalars of its step.

use std::sync::Arc;

use super::draw::{Draw, Numbers};
use crate::error::Result;
use crate::exec::Executor;
use crate::kernels::{Element, StepScalars};
use crate::plan::{ALIGNMENT, BufferSpec, Limits, Plan, Slot};

/// The smallest binding that plans have to keep within here: small enough that small cases need several windows.
const TINY_BINDING: usize = 4096;

/// What a buffer holds before the plan runs.
#[derive(Clone, Debug)]
enum Content {
    Real(Vec<f32>),
    U32(Vec<u32>),
}

/// A plan of few steps with all that it needs to run.
#[derive(Clone, Debug)]
pub struct Case {
    /// The plan.
    pub plan: Arc<Plan>,
    /// The scalars of its step.
    pub scalars: StepScalars,
    contents: Vec<(BufferSpec, Content)>,
}

impl Case {
    /// Writes every buffer of the plan, and the scalars as number 0.
    pub fn load(&self, executor: &mut dyn Executor) -> Result<()> {
        for (spec, content) in &self.contents {
            match content {
                Content::Real(values) => executor.write(spec, values)?,
                Content::U32(values) => executor.write_u32(spec, values)?,
            }
        }
        executor.set_scalars(&[self.scalars])
    }

    /// Bytes that the slots of all steps show.
    pub fn bytes(&self) -> u64 {
        self.plan.steps().iter().flat_map(|step| &step.slots).map(|slot| 4 * slot.len as u64).sum()
    }
}

/// Where a slot may begin in its buffer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum At {
    /// Where a binding may begin.
    Aligned,
    /// Anywhere.
    Anywhere,
}

fn empty(limits: Limits) -> Plan {
    let mut plan = Plan::new(limits);
    plan.set_scope("verify");
    plan
}

/// A case in the making.
pub(super) struct Builder {
    pub draw: Draw,
    pub plan: Plan,
    pub scalars: StepScalars,
    contents: Vec<(BufferSpec, Content)>,
}

impl Builder {
    /// A case without buffers and steps.
    pub(super) fn new(mut draw: Draw) -> Self {
        let learning_rate = 0.01 * (1.5 + draw.unit() as f64);
        let scalars = StepScalars {
            learning_rate,
            adam_rate: learning_rate * 0.3,
            step: 1 + draw.below(1000) as u32,
            momentum_rate: learning_rate * 0.7,
            gradient_rate: learning_rate * 0.4,
            variance_rate: 1.5,
            ..StepScalars::default()
        };
        Builder { draw, plan: empty(Limits::NONE), scalars, contents: Vec::new() }
    }

    /// Makes every binding of the plan tiny, in half of the cases; to be called before the first buffer.
    pub(super) fn perhaps_tiny_bindings(&mut self) -> bool {
        let tiny = !self.draw.timing && self.draw.one_in(2);
        if tiny {
            self.plan = empty(Limits { max_binding: TINY_BINDING, ..Limits::NONE });
        }
        tiny
    }

    /// A slot that holds these values, with dirt before and behind it in the buffer.
    pub(super) fn holding(&mut self, name: &str, values: Vec<f32>, at: At) -> Slot {
        let offset = match at {
            At::Aligned => ALIGNMENT * self.draw.below(3),
            At::Anywhere if self.draw.in_quads => 4 * self.draw.below(ALIGNMENT / 2),
            At::Anywhere => self.draw.below(2 * ALIGNMENT),
        };
        let behind = self.draw.below(8);
        let len = values.len();
        let content = [self.draw.dirt(offset), values, self.draw.dirt(behind)].concat();
        let spec = BufferSpec::persistent(name, &[content.len()]);
        let whole = self.plan.persistent(&spec);
        self.contents.push((spec, Content::Real(content)));
        whole.range(offset..offset + len)
    }

    /// An input of random numbers.
    pub(super) fn input(&mut self, name: &str, len: usize, kind: Numbers) -> Slot {
        let values = self.draw.numbers(len, kind);
        self.holding(name, values, At::Aligned)
    }

    /// What counts and what does not, at random. It is made of nothing but 0 and 1, so that NaN never lies in it.
    pub(super) fn mask(&mut self, len: usize) -> Slot {
        let values = (0..len).map(|_| f32::from(self.draw.one_in(2))).collect();
        self.holding("mask", values, At::Aligned)
    }

    /// An input of random numbers that begins anywhere.
    pub(super) fn input_anywhere(&mut self, name: &str, len: usize, kind: Numbers) -> Slot {
        let values = self.draw.numbers(len, kind);
        self.holding(name, values, At::Anywhere)
    }

    /// An output: numbers where they are added to, else dirt.
    pub(super) fn output(&mut self, name: &str, len: usize, accumulate: bool, at: At) -> Slot {
        let values = if accumulate { self.draw.numbers(len, Numbers::Unit) } else { self.draw.dirt(len) };
        self.holding(name, values, at)
    }

    /// A slot of integers.
    pub(super) fn integers(&mut self, name: &str, values: Vec<u32>) -> Slot {
        let spec = BufferSpec::persistent(name, &[values.len()]).u32();
        let slot = self.plan.persistent(&spec);
        self.contents.push((spec, Content::U32(values)));
        slot
    }

    /// The training's health: bad in a quarter of the cases, when nothing that is kept may change;
    /// never in the case that is timed, where a skipped update would be the time of nothing.
    pub(super) fn health(&mut self) -> Slot {
        let bad = self.draw.one_in(4) && !self.draw.timing;
        self.integers("health", if bad { vec![3, 7] } else { vec![0, 0] })
    }

    /// The case. Buffers that were not given a content hold dirt.
    pub(super) fn finish(mut self) -> Result<Case> {
        let plan = self.plan.finish()?;
        for spec in &plan.memory().places {
            if !self.contents.iter().any(|(known, _)| known.name == spec.name) {
                let content = match spec.element {
                    Element::Real => Content::Real(self.draw.dirt(spec.len())),
                    Element::U32 => Content::U32(vec![0xdead_beef; spec.len()]),
                };
                self.contents.push((spec.clone(), content));
            }
        }
        Ok(Case { plan: Arc::new(plan), scalars: self.scalars, contents: self.contents })
    }
}
