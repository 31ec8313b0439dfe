//! A search for hyper-parameters: trials that draw them from a [`Space`], train, and are compared by an [`Objective`].
//!
//! [`Search::run`] trains, in a folder that survives: what a trial draws and its seed depend on the search's seed and the trial's number
//! alone, so that a search that was killed ends, resumed, with the same [`Trial`]s and the same best model. Which variant of a kernel is
//! the fastest on a GPU is another matter: see [`crate::exec`].

mod folder;
mod hyperparameters;
mod objective;
mod run;
mod schedule;
mod space;
#[cfg(test)]
mod tests;
mod trial;
mod values;
mod watch;

pub use folder::Folder;
pub use hyperparameters::Hyperparameters;
pub use objective::Objective;
pub use run::{Event, Found, Sampled, Search, Setting};
pub use schedule::{Method, Rung};
pub use space::Space;
pub use trial::{Ended, Trial};
pub use values::Values;
