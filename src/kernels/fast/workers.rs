//! The threads that kernels share.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use rayon::iter::{IntoParallelIterator, ParallelIterator};

/// Threads for work that is worth handing over. What is computed never depends on their number or on which is first: work is cut
/// along results, never along a sum.
#[derive(Clone, Default)]
pub struct Workers {
    pool: Option<Arc<rayon::ThreadPool>>,
    /// Operations below which a second thread costs more than it brings.
    worth: usize,
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Workers({})", self.pool.as_ref().map_or(1, |pool| pool.current_num_threads()))
    }
}

/// Multiplications, additions or moves of numbers below which a second thread costs more than it brings.
const WORTH_HANDING_OVER: usize = 100_000;

impl Workers {
    /// As many threads as this machine has cores, the same for all models; none beside the caller where they cannot be had.
    pub fn shared() -> Self {
        static SHARED: LazyLock<Workers> = LazyLock::new(|| {
            Workers::of(std::thread::available_parallelism().map_or(1, |n| n.get()), WORTH_HANDING_OVER)
        });
        SHARED.clone()
    }

    /// So many threads, that get a part each of work of twice `worth` operations and more.
    pub(crate) fn of(threads: usize, worth: usize) -> Self {
        let name = |i| format!("gatenorm-{i}");
        let build = || rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(name).build().ok();
        Workers { pool: if threads > 1 { build().map(Arc::new) } else { None }, worth }
    }

    /// Runs `work` where [`Workers::each`] hands over to other threads.
    pub fn enter<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match &self.pool {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }

    /// How many parts work of this size is to be cut into.
    pub(super) fn parts(&self, operations: usize) -> usize {
        match &self.pool {
            // Outside the pool all is done by the caller: handing a little over takes longer than doing it.
            Some(_) if rayon::current_thread_index().is_none() => 1,
            Some(pool) => (operations / self.worth).clamp(1, pool.current_num_threads()),
            None => 1,
        }
    }

    /// Cuts `count` things, which take so many operations together, into a part for each thread, in multiples of `grain`.
    pub fn cut(&self, count: usize, operations: usize, grain: usize) -> Vec<Range<usize>> {
        cut(count, self.parts(operations), grain)
    }

    /// The same of each of several times as many things, which take so many operations all together.
    pub fn cut_each(&self, times: usize, count: usize, operations: usize, grain: usize) -> Vec<Range<usize>> {
        let wanted = self.parts(operations);
        let parts = if wanted.is_multiple_of(times) { wanted / times } else { wanted };
        cut(count, parts, grain)
    }

    /// Does everything, several at a time where so many operations are worth handing over.
    pub fn share<T: Send>(&self, operations: usize, work: Vec<T>, of_one: impl Fn(T) + Send + Sync) {
        match self.parts(operations) {
            1 => work.into_iter().for_each(of_one),
            _ => self.each(work, of_one),
        }
    }

    /// Does every part, several at a time.
    pub fn each<T: Send>(&self, mut parts: Vec<T>, work: impl Fn(T) + Send + Sync) {
        match (parts.len(), parts.pop()) {
            (_, None) => {}
            (1, Some(only)) => work(only),
            (2, Some(second)) => match parts.pop() {
                Some(first) => drop(rayon::join(|| work(first), || work(second))),
                None => work(second),
            },
            (_, Some(last)) => {
                parts.push(last);
                parts.into_par_iter().for_each(work);
            }
        }
    }
}

fn cut(count: usize, parts: usize, grain: usize) -> Vec<Range<usize>> {
    let grains = count.div_ceil(grain);
    let each = grains.div_ceil(parts.min(grains).max(1)) * grain;
    (0..count).step_by(each.max(1)).map(|first| first..count.min(first + each)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_all_and_end_on_grains() {
        let workers = Workers::shared();
        for (count, grain) in [(1, 1), (7, 4), (32, 4), (33, 16), (1000, 16)] {
            let parts = workers.enter(|| workers.cut(count, 100 * WORTH_HANDING_OVER, grain));
            assert_eq!((parts[0].start, parts[parts.len() - 1].end), (0, count));
            assert!(parts.windows(2).all(|w| w[0].end == w[1].start && w[0].end % grain == 0));
        }
    }

    #[test]
    fn little_work_stays_whole() {
        let workers = Workers::shared();
        assert_eq!(workers.enter(|| workers.cut(64, 1000, 1)).len(), 1);
        assert_eq!(workers.cut(64, usize::MAX, 1).len(), 1);
    }
}
