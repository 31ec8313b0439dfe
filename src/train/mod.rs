//! Compiled models: fit, evaluate, predict.

mod anomalies;
mod callbacks;
mod check_data;
mod checkpoint;
mod checkpoints;
mod confusion_matrix;
mod data_spec;
mod device_memory;
mod epochs;
mod feed;
mod fit;
mod forecast;
mod history;
mod judged_rows;
mod label_scores;
mod lockstep;
mod loss;
mod metric;
mod model;
mod numbers;
mod on_batch;
mod optimizer;
mod padding;
mod population;
mod programs;
mod resume;
mod run;
mod run_state;
mod scores;
mod states;
mod stream;
mod supply;
mod trace;

pub use anomalies::{AnomalyScores, UsualErrors};
pub use callbacks::{
    Batches, Better, Callback, CsvLogger, EarlyStopping, JsonLogger, LearningRateScheduler, ModelCheckpoint,
    ReduceLrOnPlateau, TensorBoard, TerminateOnNan, Training, UpdateFreq,
};
pub use checkpoint::Snapshot;
pub use checkpoints::Checkpoints;
pub use confusion_matrix::ConfusionMatrix;
pub use data_spec::DataSpec;
pub use device_memory::DeviceMemory;
pub(crate) use fit::hash_of;
pub use fit::{Fit, ValidationFreq};
pub use forecast::ForecastErrors;
pub use history::{Epoch, History, Scores};
pub use label_scores::LabelScore;
pub use lockstep::{TrainingReport, lesson_model, lockstep_training};
pub(crate) use loss::LossKind;
pub use loss::{Loss, Losses, Reduction};
pub(crate) use metric::{Arguments, MetricKind, Target};
pub use metric::{Average, Curve, Metric};
pub use model::{Model, Moment, Weight};
pub(crate) use optimizer::MomentSpec;
pub use optimizer::{
    Adagrad, Adam, AdamW, Common, CosineDecay, CosineDecayRestarts, ExponentialDecay, InverseTimeDecay, LearningRate,
    Lion, Nadam, Optimizer, PiecewiseConstantDecay, PolynomialDecay, RmsProp, Sgd,
};
pub(crate) use resume::{Compilation, Progressed};
pub(crate) use run_state::RunState;
pub use trace::{Trace, Traced};
