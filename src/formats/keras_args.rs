//! Arguments in Keras's JSON: each is read, known to have no effect, or refused by name.
//!
//! Errors are texts here, since only the caller knows the file's name.

use serde_json::{Map, Value};

use crate::data::spelling::nearest;

/// What reading a part of a file gives, or what is wrong there.
pub(super) type Read<T> = Result<T, String>;

/// The largest number of units, features or steps that is believed.
const MAX_COUNT: u64 = 1 << 24;

/// The arguments of one object.
#[derive(Debug)]
pub(super) struct Args<'a> {
    /// Where it is, for messages: "layer `lstm` (LSTM)".
    place: String,
    map: Option<&'a Map<String, Value>>,
    known: Vec<String>,
    /// Whether a person wrote them: then what is not known may be a slip.
    by_hand: bool,
}

/// Marks the arguments of a class that a person wrote.
pub(super) const BY_HAND: &str = "by_hand";

impl<'a> Args<'a> {
    /// The arguments in a JSON object; none where there is none.
    pub fn new(place: impl Into<String>, value: Option<&'a Value>) -> Read<Self> {
        let place = place.into();
        let map = match value {
            None | Some(Value::Null) => None,
            Some(Value::Object(map)) => Some(map),
            Some(other) => return Err(format!("{place}: its `config` is {}, not an object", short(other))),
        };
        let by_hand = map.is_some_and(|map| map.get(BY_HAND) == Some(&Value::Bool(true)));
        Ok(Args { place, map, known: Vec::new(), by_hand })
    }

    /// An argument, if it is set.
    pub fn get(&mut self, name: &str) -> Option<&'a Value> {
        self.known.push(name.to_owned());
        self.map.and_then(|map| map.get(name)).filter(|value| !value.is_null())
    }

    /// An argument, if it is there: null may mean something.
    pub fn given(&mut self, name: &str) -> Option<&'a Value> {
        self.known.push(name.to_owned());
        self.map.and_then(|map| map.get(name))
    }

    /// Whether it is set to null, which a few of Keras's arguments tell from leaving them out.
    pub fn is_null(&self, name: &str) -> bool {
        self.map.and_then(|map| map.get(name)).is_some_and(Value::is_null)
    }

    /// Where these arguments are, for messages.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The message for an argument that cannot be used.
    pub fn wrong(&self, name: &str, value: &Value, supported: &str) -> String {
        format!(
            "{}: argument `{name}` is {}; supported here: {supported}. Change it in Keras and save the model again",
            self.place,
            short(value)
        )
    }

    /// The message for an argument that must be there.
    pub fn missing(&self, name: &str) -> String {
        let others = self.map.into_iter().flat_map(Map::keys).filter(|key| !self.known.contains(key));
        let others: Vec<String> = others.cloned().collect();
        let meant = nearest(name, &others).map(|other| format!("; is it meant by `{other}`?")).unwrap_or_default();
        format!("{}: argument `{name}` is missing{meant}", self.place)
    }

    /// A required whole number from 1.
    pub fn count(&mut self, name: &str) -> Read<usize> {
        let value = self.get(name).ok_or_else(|| self.missing(name))?;
        count(value).ok_or_else(|| self.wrong(name, value, &format!("a whole number from 1 to {MAX_COUNT}")))
    }

    pub fn number(&mut self, name: &str, default: f64) -> Read<f64> {
        match self.get(name) {
            None => Ok(default),
            Some(value) => value.as_f64().ok_or_else(|| self.wrong(name, value, "a number")),
        }
    }

    pub fn flag(&mut self, name: &str, default: bool) -> Read<bool> {
        match self.get(name) {
            None => Ok(default),
            Some(value) => value.as_bool().ok_or_else(|| self.wrong(name, value, "true, false")),
        }
    }

    /// One of some names, given as a text or as a function of Keras.
    pub fn name_of(&mut self, name: &str, default: &'a str, allowed: &[&str]) -> Read<&'a str> {
        let Some(value) = self.get(name) else { return Ok(default) };
        let found = identifier(value).filter(|found| allowed.contains(found));
        found.ok_or_else(|| self.wrong(name, value, &quoted(allowed)))
    }

    /// Options that this build does not have: null, false or 0 turns them off.
    pub fn off(&mut self, names: &[&str]) -> Read<()> {
        for name in names {
            if let Some(value) = self.get(name)
                && value != &Value::Bool(false)
                && value.as_f64() != Some(0.0)
            {
                return Err(self.wrong(name, value, "none (null, false or 0)"));
            }
        }
        Ok(())
    }

    /// Arguments without effect on results.
    pub fn ignore(&mut self, names: &[&str]) {
        self.known.extend(names.iter().map(|&name| name.to_owned()));
    }

    /// Whether all of a model, or a layer in a wrapper, is trained, and its numbers are 32-bit floats.
    pub fn trained_in_f32(&mut self) -> Read<()> {
        if let Some(value) = self.get("trainable").filter(|value| *value != &Value::Bool(true)) {
            return Err(self.wrong("trainable", value, "true"));
        }
        self.in_f32()
    }

    /// The same for an input, which may hold whole numbers: here they come as floats, and Keras makes floats of them where a layer
    /// computes.
    pub fn in_f32_or_whole(&mut self) -> Read<()> {
        match self.get("dtype").and_then(Value::as_str) {
            Some("int32" | "int64") => Ok(()),
            _ => self.in_f32(),
        }
    }

    /// Whether `dtype`, as a name or a policy object, is float32.
    pub fn in_f32(&mut self) -> Read<()> {
        let Some(value) = self.get("dtype") else { return Ok(()) };
        let name = value.as_str().or_else(|| value.get("config")?.get("name")?.as_str());
        if name == Some("float32") { Ok(()) } else { Err(self.wrong("dtype", value, "\"float32\"")) }
    }

    /// An axis, -1 by default; `rank` counts the batch axis, which is not allowed. A list of one is an axis too.
    pub fn axis(&mut self, rank: usize) -> Read<i64> {
        let Some(value) = self.get("axis") else { return Ok(-1) };
        let rank = rank as i64;
        let allowed = |axis: &i64| (1..rank).contains(axis) || (1 - rank..0).contains(axis);
        axis_of(value).filter(allowed).ok_or_else(|| {
            let axes: Vec<String> = (1 - rank..0).chain(1..rank).map(|axis| axis.to_string()).collect();
            self.wrong("axis", value, &axes.join(", "))
        })
    }

    /// Whether the last axis is meant; `rank` counts the batch axis. Where the axes are a list, the last must be the only one.
    pub fn last_axis(&mut self, rank: usize) -> Read<()> {
        let Some(value) = self.get("axis") else { return Ok(()) };
        let axis = axis_of(value);
        if axis == Some(-1) || axis == Some(rank as i64 - 1) {
            return Ok(());
        }
        Err(self.wrong("axis", value, &format!("-1 or {}, the last axis", rank - 1)))
    }

    /// Refuses arguments that nobody asked for, unless they are not set.
    pub fn finish(self) -> Read<()> {
        let unset = |value: &Value| !self.by_hand && (value.is_null() || value == &Value::Bool(false));
        let mut unknown = self.map.into_iter().flatten().filter(|(name, _)| *name != BY_HAND || !self.by_hand);
        match unknown.find(|(name, value)| !self.known.contains(name) && !unset(value)) {
            Some((name, _)) if self.by_hand => Err(self.unknown(name)),
            Some((name, value)) => Err(self.wrong(name, value, "only arguments that this version knows")),
            None => Ok(()),
        }
    }

    fn unknown(&self, name: &str) -> String {
        let known = &self.known;
        let meant = nearest(name, known).map(|other| format!(". Did you mean `{other}`?"));
        let meant = meant.unwrap_or_else(|| format!("; it has: {}", known.join(", ")));
        format!("{}: there is no argument `{name}`{meant}", self.place)
    }
}

/// An axis, or the only one of a list.
fn axis_of(value: &Value) -> Option<i64> {
    match value {
        Value::Array(axes) if axes.len() == 1 => axes[0].as_i64(),
        other => other.as_i64(),
    }
}

/// A class of Keras, as `{"module", "class_name", "config", "registered_name"}`: its name and its arguments.
pub(super) fn object<'a>(place: &str, value: &'a Value) -> Read<(&'a str, Option<&'a Value>)> {
    let class = value.get("class_name").and_then(Value::as_str);
    let class = class.ok_or_else(|| format!("{place}: {} has no `class_name`", short(value)))?;
    let text = |name: &str| value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let ours = text("module") == Some(OWN_PACKAGE) && text("registered_name") == Some(&own_name(class));
    let keras = text("module").is_none_or(|module| module == "keras" || module.starts_with("keras."));
    if !ours && (!keras || text("registered_name").is_some()) {
        return Err(format!(
            "{place}: `{class}` is a class of {}; supported here: classes of Keras",
            text("module").or(text("registered_name")).unwrap_or("its own")
        ));
    }
    Ok((class, value.get("config")))
}

/// The package of layers that Keras does not have.
pub(super) const OWN_PACKAGE: &str = "gatenorm";

/// The name under which Keras would look for such a layer.
pub(super) fn own_name(class: &str) -> String {
    format!("{OWN_PACKAGE}>{class}")
}

/// A name, or that of a function, which Keras writes as an object.
pub(super) fn identifier(value: &Value) -> Option<&str> {
    let function = value.get("class_name").and_then(Value::as_str) == Some("function");
    if function { value.get("config")?.as_str() } else { value.as_str() }
}

/// A whole number from 1 that can be a size.
pub(super) fn count(value: &Value) -> Option<usize> {
    value.as_u64().filter(|n| (1..=MAX_COUNT).contains(n)).map(|n| n as usize)
}

/// JSON, short enough for a message.
pub(super) fn short(value: &Value) -> String {
    const MOST: usize = 80;
    let text = value.to_string();
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Names in quotes, with commas between them.
pub(super) fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}
