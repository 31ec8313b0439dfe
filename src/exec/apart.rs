//! Runs of plans that have nothing to do with each other, on several threads of a CPU: each takes some of them from end to end, with
//! activations of its own, so that what a core has computed stays in its cache.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread::{Builder, JoinHandle, available_parallelism};

use micropool::{ThreadPool, ThreadPoolBuilder};

use super::lending::Memory;
use crate::kernels::{Access, Element, Real};
use crate::plan::{BufferSpec, Plan, Role};

/// How often a thread without work looks for some before it sleeps: for some 0.2 ms, since waking it would take as long as a small batch.
const LOOKS: usize = 20_000;

/// Threads that take runs, and the activations of each.
pub(super) struct Lanes<T> {
    /// The threads beside the caller's.
    pool: Option<Arc<ThreadPool>>,
    lanes: Vec<Lane<T>>,
}

/// The activations of one thread, by their places among the executor's buffers.
pub(super) struct Lane<T>(pub Vec<Memory<T>>);

impl<T: Real> Lanes<T> {
    /// None but the caller's thread.
    pub fn alone() -> Self {
        Lanes { pool: None, lanes: Vec::new() }
    }

    /// As many threads as this machine has cores, the same for all executors; none beside the caller's where they cannot be had.
    pub fn shared() -> Self {
        static SHARED: LazyLock<Option<Arc<ThreadPool>>> = LazyLock::new(|| {
            let threads = available_parallelism().map_or(1, |n| n.get());
            pool(threads - 1).map(Arc::new)
        });
        Lanes { pool: SHARED.clone(), lanes: Vec::new() }
    }

    /// So many threads, the caller's among them.
    #[cfg(test)]
    pub fn of(threads: usize) -> Self {
        Lanes { pool: pool(threads - 1).map(Arc::new), lanes: Vec::new() }
    }

    /// How many runs can be under way at once.
    pub fn threads(&self) -> usize {
        self.pool.as_ref().map_or(1, |pool| pool.num_threads() + 1)
    }

    /// Makes room for the activations of a plan in so many lanes. Gives how many buffers it made.
    pub fn make_room(&mut self, lanes: usize, plan: &Plan, places: &HashMap<String, usize>) -> u64 {
        self.lanes.resize_with(self.lanes.len().max(lanes), || Lane(Vec::new()));
        let own = plan.memory().places.iter().filter(|spec| is_own(spec));
        let own: Vec<(&BufferSpec, usize)> = own.map(|spec| (spec, places[&spec.name])).collect();
        let made =
            |lane: &mut Lane<T>| own.iter().map(|(spec, place)| u64::from(lane.ensure(spec, *place))).sum::<u64>();
        self.lanes.iter_mut().take(lanes).map(made).sum()
    }

    /// Does `work` for `0..runs` in so many lanes, and gives what it gave in this order.
    pub fn each<R: Send>(
        &mut self,
        lanes: usize,
        runs: usize,
        work: impl Fn(&mut Lane<T>, usize) -> R + Sync,
    ) -> Vec<R> {
        let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(runs)));
        let in_lane = |lane: &mut Lane<T>| loop {
            let run = next.fetch_add(1, Ordering::Relaxed);
            if run >= runs {
                return;
            }
            let given = (run, work(lane, run));
            done.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(given);
        };
        match &self.pool {
            Some(pool) => in_halves(pool, &mut self.lanes[..lanes], &in_lane),
            None => self.lanes[..lanes].iter_mut().for_each(in_lane),
        }
        let mut done = done.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        done.sort_by_key(|&(run, _)| run);
        done.into_iter().map(|(_, given)| given).collect()
    }
}

impl<T: Real> Lane<T> {
    /// Whether a buffer had to be made.
    fn ensure(&mut self, spec: &BufferSpec, place: usize) -> bool {
        self.0.resize_with(self.0.len().max(place + 1), || Memory::U32(Vec::new()));
        let memory = &mut self.0[place];
        let missing = memory.len() < spec.len() || matches!(memory, Memory::Real(_)) != (spec.element == Element::Real);
        if missing {
            *memory = Memory::new(spec);
        }
        missing
    }
}

/// Whether each run has such a buffer for itself.
fn is_own(spec: &BufferSpec) -> bool {
    spec.role == Role::Activation || Plan::is_unused(&spec.name)
}

/// Whether all that a plan writes lives for one run.
pub(super) fn leaves_nothing(plan: &Plan) -> bool {
    plan.steps().iter().all(|step| {
        let mut written =
            step.slots.iter().zip(step.kernel.bindings).filter(|(_, binding)| binding.access != Access::Read);
        written.all(|(slot, _)| is_own(plan.place(slot.buffer)))
    })
}

fn in_halves<T: Send>(pool: &ThreadPool, parts: &mut [T], work: &(impl Fn(&mut T) + Sync)) {
    match parts {
        [] => {}
        [only] => work(only),
        _ => {
            let (left, right) = parts.split_at_mut(parts.len() / 2);
            pool.join(|| in_halves(pool, left, work), || in_halves(pool, right, work));
        }
    }
}

/// So many threads, or none where not all can be had.
fn pool(threads: usize) -> Option<ThreadPool> {
    // The pool takes no refusal when it begins a thread, so all of them wait for what they are to do before it is made.
    let mut waiting = (0..threads).map(waiting).collect::<Option<Vec<_>>>()?;
    let hand_over = move |_, work| {
        let (sender, thread) = waiting.pop().expect("a thread for each that was asked for");
        sender.send(work).expect("a thread that waits");
        thread
    };
    let builder = ThreadPoolBuilder::default().num_threads(threads).idle_spin_cycles(LOOKS).spawn_handler(hand_over);
    (threads > 0).then(|| builder.build())
}

type Work = Box<dyn FnOnce() + Send>;

/// A thread that waits for its work.
fn waiting(number: usize) -> Option<(Sender<Work>, JoinHandle<()>)> {
    let (sender, receiver) = channel::<Work>();
    let run = move || receiver.recv().into_iter().for_each(|work| work());
    let thread = Builder::new().name(format!("gatenorm-apart-{number}")).spawn(run).ok()?;
    Some((sender, thread))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_is_done_once_and_in_its_place_by_any_number_of_threads() {
        for threads in [1, 2, 5] {
            let mut lanes = Lanes::<f32>::of(threads);
            lanes.lanes.resize_with(threads, || Lane(Vec::new()));
            assert_eq!((lanes.threads(), lanes.each(threads, 37, |_, run| run)), (threads, (0..37).collect()));
        }
    }
}
