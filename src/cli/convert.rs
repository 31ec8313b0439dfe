//! `gatenorm convert`

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, ValueEnum};
use gatenorm::Error;
use gatenorm::exec::Device;
use gatenorm::formats::{WeightNames, atomic};
use gatenorm::train::Model;
use serde_json::json;

use super::options::keep_apart;
use super::report;
use super::report::talk;

/// Writes a model in another format: .keras to .onnx or .safetensors, and weights in .safetensors, with --like, to all
/// three.
///
/// The formats follow from the ends of the names. An .onnx file holds the whole model and takes raw rows; a
/// .safetensors file holds the weights alone, under Keras's names or PyTorch's.
#[derive(Args)]
#[command(after_help = "Examples:\n  gatenorm convert room.keras room.onnx\n  \
                        gatenorm convert room.keras room.safetensors --names pytorch\n  \
                        gatenorm convert tuned.safetensors tuned.keras --like room.keras")]
pub struct Convert {
    /// The model, or weights.
    #[arg(value_name = "IN.keras|IN.safetensors")]
    input: PathBuf,
    /// Where to write.
    #[arg(value_name = "OUT.onnx|OUT.safetensors|OUT.keras")]
    out: PathBuf,
    /// Whose names and layouts the tensors in OUT.safetensors have [default: keras].
    #[arg(long, value_enum)]
    names: Option<Names>,
    /// The model whose layers weights in IN.safetensors are of; whose names they have is found out.
    #[arg(long, value_name = "MODEL.keras")]
    like: Option<PathBuf>,
    /// In OUT.keras, let the optimizer begin anew.
    #[arg(long)]
    reset_optimizer: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "lower")]
enum Names {
    /// Paths as in .keras files, such as layers/lstm/cell/vars/0.
    Keras,
    /// Those of a module with the layers as attributes, such as lstm.weight_ih_l0.
    PyTorch,
}

impl From<Names> for WeightNames {
    fn from(names: Names) -> Self {
        match names {
            Names::Keras => WeightNames::Keras,
            Names::PyTorch => WeightNames::PyTorch,
        }
    }
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Keras,
    Safetensors,
    Onnx,
}

impl Format {
    const ALL: [Format; 3] = [Format::Keras, Format::Safetensors, Format::Onnx];

    fn name(self) -> &'static str {
        match self {
            Format::Keras => "keras",
            Format::Safetensors => "safetensors",
            Format::Onnx => "onnx",
        }
    }

    /// By the end of the name.
    fn of(path: &Path) -> Result<Format> {
        let end = path.extension().map(|end| end.to_string_lossy().to_lowercase()).unwrap_or_default();
        let found = Format::ALL.into_iter().find(|format| format.name() == end);
        Ok(found.ok_or_else(|| {
            Error::usage(format!("{}: the name must end in .keras, .safetensors or .onnx", path.display()))
        })?)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ".{}", self.name())
    }
}

/// Converts and reports.
pub fn run(args: &Convert) -> Result<()> {
    let (from, to) = (Format::of(&args.input)?, Format::of(&args.out)?);
    args.check(from, to)?;
    keep_apart("OUT", &args.out, &[Some(&args.input), args.like.as_ref()])?;
    atomic::check(&args.out)?;
    let mut model = Model::load(args.like.as_ref().unwrap_or(&args.input), Device::Cpu)?;
    if from == Format::Safetensors {
        model.load_weights(&args.input)?;
    }
    if args.reset_optimizer || from == Format::Safetensors {
        // What the optimizer kept belongs to other weights.
        model.reset_optimizer()?;
    }
    let names = WeightNames::from(args.names.unwrap_or(Names::Keras));
    match to {
        Format::Keras => model.save(&args.out)?,
        Format::Safetensors => model.save_safetensors(&args.out, names)?,
        Format::Onnx => model.export(&args.out)?,
    }
    talk!("wrote {}", args.out.display());
    if args.json {
        let mut object = json!({ "in": args.input, "out": args.out, "format": to.name() });
        if to == Format::Safetensors {
            object["names"] = names.name().into();
        }
        return report::json(&object);
    }
    Ok(())
}

impl Convert {
    /// Whether the flags fit the formats.
    fn check(&self, from: Format, to: Format) -> Result<()> {
        let wrong = match (from, to) {
            (Format::Onnx, _) => Some(format!(
                "{}: .onnx files are written here, not read; convert the .keras file that it was made of",
                self.input.display()
            )),
            (Format::Safetensors, _) if self.like.is_none() => Some(format!(
                "{} holds weights without layers; name a model of the same layers with --like MODEL.keras",
                self.input.display()
            )),
            (Format::Keras, _) if self.like.is_some() => Some(format!(
                "--like is for weights in .safetensors files; {} has layers of its own. Leave --like out",
                self.input.display()
            )),
            (_, to) if self.names.is_some() && to != Format::Safetensors => {
                Some(format!("--names is for .safetensors files, which {to} files are not. Leave --names out"))
            }
            (_, to) if self.reset_optimizer && to != Format::Keras => {
                Some(format!("--reset-optimizer is for .keras files; {to} files hold no optimizer. Leave it out"))
            }
            _ => None,
        };
        match wrong {
            Some(wrong) => Err(Error::usage(wrong).into()),
            None => Ok(()),
        }
    }
}
