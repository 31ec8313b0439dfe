//! A search for hyper-parameters: trials that draw them from a [`Space`], train, and are compared by an [`Objective`].
//!
//! [`Search::run`] trains, in a folder that survives: what a trial draws and its seed depend on the search's seed and the trial's number
//! alone, so that a search that was killed ends, resumed, with the same [`Trial`]s and the same best model. Which variant of a kernel is
//! the fastest on a GPU is another matter: see [`crate::exec`].
//!
//! ```
//! use gatenorm::ablate::Variant;
//! use gatenorm::prelude::*;
//! use gatenorm::search::{Hyperparameters, Method, Objective, Sampled, Search, Setting, Space, Values};
//!
//! # fn main() -> Result<()> {
//! # let folder = std::env::temp_dir().join(format!("gatenorm-search-{}", std::process::id()));
//! let data = Dataset::csv("data/occupancy/datatest.txt").target("Occupancy").window(5).stride(20).load()?;
//! let (train, validation) = data.split_by_time(0.8)?;
//! let search = Search {
//!     space: Space {
//!         units: Values::Between(4.0, 16.0),
//!         layers: Values::OneOf(vec![1.0, 2.0]),
//!         learning_rate: Values::Between(1e-3, 1e-2),
//!         dropout: Values::Between(0.0, 0.5),
//!         recurrent_dropout: Values::fixed(0.0),
//!         windows: vec![],
//!         norms: vec![Variant::Plain, Variant::BatchNorm],
//!         batch_sizes: vec![16, 32],
//!     },
//!     method: Method::Random,
//!     trials: 3,
//!     epochs: 2,
//!     objective: Objective { name: "val_loss".into(), larger_is_better: false },
//!     seed: 0,
//!     budget: None,
//! };
//! let build = |drawn: &Hyperparameters, seed: u64, train: &Dataset| {
//!     let model = Sequential::new(train.input_shape()).seed(seed).add(Normalization::new());
//!     let model = drawn.stack().add_to(model, train.steps())?.add(Dense::new(1).activation(Activation::Sigmoid));
//!     let mut model = model.compile(Device::Cpu, Loss::BinaryCrossentropy, Adam::new(drawn.learning_rate), [])?;
//!     model.adapt(train)?;
//!     Ok(model)
//! };
//! let data = [Sampled { window: None, train, validation }];
//! let setting = Setting { folder: &folder, data: &data, device: &Device::Cpu, interrupt: Default::default() };
//! let found = search.run(&setting, build, |_| ())?;
//! let best = found.best(&search.objective).expect("a trial trained");
//! println!("{}: {:?}; its model is in {}", best.hyperparameters, best.scores, folder.join("best.keras").display());
//! # std::fs::remove_dir_all(&folder).expect("the folder can go");
//! # Ok(())
//! # }
//! ```

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
