//! Functional models in Keras's JSON, there and back.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value, json};

use super::keras_args::{Args, Read};
use super::keras_config::{self, FromConfig, class_name, entry};
use super::keras_layers::{self, Scaling};
use super::keras_nodes::{self, Node, Source, batch_shape, read_ends, write_ends};
use crate::model::{Functional, Keys, Network, Shape, Shared, Symbol, ValueId};

/// A layer's entry, and its calls.
struct Pending<'a> {
    name: String,
    entry: &'a Value,
    nodes: Vec<Node>,
}

/// The step of a mask: where a row of these values differs from a number.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Mask {
    of: Symbol,
    value: f32,
}

/// What a call gives.
#[derive(Clone)]
enum Given {
    Values(Vec<Symbol>),
    /// Keras computes masks by operations, which a model's JSON lists among its layers. Here masks go along with the values.
    Mask(Mask),
}

/// A graph under way.
struct Builder<'a> {
    graph: Functional,
    layers: Vec<Pending<'a>>,
    by_name: HashMap<String, usize>,
    placed: HashMap<usize, Shared>,
    given: BTreeMap<(usize, usize), Given>,
    masks: HashMap<Symbol, Mask>,
    scaling: HashMap<String, Scaling>,
}

/// Reads `entries`, the layers of a Functional, whose other arguments are `args`.
pub(super) fn read(args: &mut Args<'_>, entries: &[Value]) -> Read<FromConfig> {
    let (input_keys, inputs) = read_ends("input_layers", args.get("input_layers"))?;
    let (output_keys, outputs) = read_ends("output_layers", args.get("output_layers"))?;
    let mut builder = Builder::new(entries)?;
    builder.inputs(&inputs)?;
    builder.calls()?;
    let outputs = outputs.iter().map(|source| builder.output(source)).collect::<Read<Vec<Symbol>>>()?;
    let Builder { graph, layers, mut scaling, .. } = builder;
    let order = layers.into_iter().map(|layer| layer.name).collect();
    let graph = graph.outputs(&outputs).in_order(order).keyed(Keys { inputs: input_keys, outputs: output_keys });
    let network = graph.build().map_err(|error| error.to_string())?;
    let scaling = network.layers.iter().map(|placed| scaling.remove(&placed.name)).collect();
    Ok(FromConfig { network, scaling })
}

impl<'a> Builder<'a> {
    fn new(entries: &'a [Value]) -> Read<Builder<'a>> {
        let mut layers = Vec::with_capacity(entries.len());
        let mut by_name = HashMap::new();
        for (i, entry) in entries.iter().enumerate() {
            let own = entry.get("config").and_then(|config| config.get("name"));
            let name = entry.get("name").or(own).and_then(Value::as_str);
            let name = name.ok_or_else(|| format!("layer {} has no `name`", i + 1))?.to_owned();
            if by_name.insert(name.clone(), i).is_some() {
                return Err(format!("two layers are named `{name}`"));
            }
            let nodes = keras_nodes::read(&format!("layer `{name}`"), entry)?;
            layers.push(Pending { name, entry, nodes });
        }
        let (placed, given) = (HashMap::new(), BTreeMap::new());
        let (masks, scaling) = (HashMap::new(), HashMap::new());
        Ok(Builder { graph: Functional::new(), layers, by_name, placed, given, masks, scaling })
    }

    fn is_input(&self, layer: usize) -> bool {
        class_name(self.layers[layer].entry) == Some("InputLayer")
    }

    /// How often a layer is called; an input is there once.
    fn calls_of(&self, layer: usize) -> usize {
        if self.is_input(layer) { 1 } else { self.layers[layer].nodes.len() }
    }

    /// The layer and call that a tensor comes from.
    fn origin(&self, place: &str, source: &Source) -> Read<(usize, usize)> {
        let Source { layer, node, .. } = source;
        let from = self.by_name.get(layer);
        let &from =
            from.ok_or_else(|| format!("{place}: its input comes from `{layer}`, which is no layer of the model"))?;
        let calls = self.calls_of(from);
        if *node >= calls {
            return Err(format!(
                "{place}: its input comes from call {node} of layer `{layer}`, which has {calls}, counted from 0"
            ));
        }
        Ok((from, *node))
    }

    fn inputs(&mut self, sources: &[Source]) -> Read<()> {
        for source in sources {
            let (layer, node) = self.origin("the model's `input_layers`", source)?;
            let name = &self.layers[layer].name;
            if !self.is_input(layer) || source.tensor != 0 {
                return Err(format!("the model's `input_layers` hold `{name}`, which is no InputLayer"));
            }
            let shape = keras_config::input_layer(self.layers[layer].entry)?;
            let input = self.graph.input(name, &shape).map_err(|error| format!("the InputLayer `{name}`: {error}"))?;
            self.given.insert((layer, node), Given::Values(vec![input]));
        }
        let unnamed = (0..self.layers.len()).find(|&i| self.is_input(i) && !self.given.contains_key(&(i, 0)));
        match unnamed {
            Some(i) => Err(format!("the InputLayer `{}` is not among the model's `input_layers`", self.layers[i].name)),
            None => Ok(()),
        }
    }

    /// Calls all layers, each call behind those it needs and behind the layer's calls before it.
    fn calls(&mut self) -> Read<()> {
        let mut waiting: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        let mut followers: BTreeMap<(usize, usize), Vec<(usize, usize)>> = BTreeMap::new();
        let mut ready = BTreeSet::new();
        for layer in (0..self.layers.len()).filter(|&i| !self.is_input(i)) {
            for (call, node) in self.layers[layer].nodes.iter().enumerate() {
                let place = format!("layer `{}`, call {call}", self.layers[layer].name);
                let sources = node.inputs.iter().chain(&node.mask).map(|source| self.origin(&place, source));
                let mut needed = sources.collect::<Read<BTreeSet<_>>>()?;
                needed.extend(call.checked_sub(1).map(|before| (layer, before)));
                needed.retain(|at| !self.given.contains_key(at));
                if needed.is_empty() {
                    ready.insert((layer, call));
                }
                waiting.insert((layer, call), needed.len());
                needed.into_iter().for_each(|at| followers.entry(at).or_default().push((layer, call)));
            }
        }
        while let Some((layer, call)) = ready.pop_first() {
            self.call(layer, call)?;
            waiting.remove(&(layer, call));
            for follower in followers.remove(&(layer, call)).unwrap_or_default() {
                let left = waiting.entry(follower).or_insert(1);
                *left -= 1;
                if *left == 0 {
                    ready.insert(follower);
                }
            }
        }
        match waiting.first_key_value() {
            Some(((layer, _), _)) => {
                let name = &self.layers[*layer].name;
                Err(format!("layer `{name}` waits for what it gives itself: the graph of the layers has a cycle"))
            }
            None => Ok(()),
        }
    }

    fn call(&mut self, layer: usize, call: usize) -> Read<()> {
        let Pending { name, entry, nodes } = &self.layers[layer];
        let (name, entry, node) = (name.clone(), *entry, &nodes[call]);
        let place = format!("layer `{name}`, call {call}");
        if let Some(module) = operation(entry) {
            let given = self.mask_operation(&place, entry, module, node)?;
            self.given.insert((layer, call), given);
            return Ok(());
        }
        let inputs = node.inputs.iter().map(|source| self.symbol(&place, source)).collect::<Read<Vec<Symbol>>>()?;
        if inputs.is_empty() {
            return Err(format!("{place}: it has no inputs"));
        }
        self.check_mask(&place, node, inputs[0])?;
        let shared = match self.placed.get(&layer) {
            Some(&shared) => shared,
            None => self.place(layer, &name, entry, &inputs)?,
        };
        let outputs = self.graph.call(shared, &inputs).map_err(|error| error.to_string())?;
        self.pass_mask(entry, inputs[0], &outputs);
        self.given.insert((layer, call), Given::Values(outputs));
        Ok(())
    }

    /// Makes a layer for what it is called with first.
    fn place(&mut self, layer: usize, name: &str, entry: &Value, inputs: &[Symbol]) -> Read<Shared> {
        let shapes: Vec<Shape> = inputs.iter().map(|&input| self.graph.shape(input).to_vec()).collect();
        let read = keras_layers::read(entry, layer + 1, &shapes)?;
        if let Some(scaling) = read.scaling {
            self.scaling.insert(name.to_owned(), scaling);
        }
        let shared = self.graph.place(Some(name), read.layer, read.trainable).map_err(|error| error.to_string())?;
        self.placed.insert(layer, shared);
        Ok(shared)
    }

    /// The value that a tensor is.
    fn symbol(&self, place: &str, source: &Source) -> Read<Symbol> {
        let Source { layer, tensor, .. } = source;
        match self.given.get(&self.origin(place, source)?) {
            Some(Given::Values(values)) => values.get(*tensor).copied().ok_or_else(|| {
                format!(
                    "{place}: its input is number {tensor}, counted from 0, of what `{layer}` gives, but that is {}",
                    values.len()
                )
            }),
            Some(Given::Mask(_)) => Err(format!(
                "{place}: its input is the mask `{layer}`; supported here: masks that Masking makes, as masks"
            )),
            None => Err(format!("{place}: its input comes from `{layer}`, which has not been called")),
        }
    }

    fn output(&self, source: &Source) -> Read<Symbol> {
        self.symbol("the model's `output_layers`", source)
    }

    /// `NotEqual` of an input and a number, and `Any` of that, make the mask of a Masking layer.
    fn mask_operation(&self, place: &str, entry: &Value, module: &str, node: &Node) -> Read<Given> {
        let class = class_name(entry).unwrap_or_default();
        let mask = match (class, node.inputs.as_slice(), node.number) {
            ("NotEqual", [input], Some(value)) => Some(Mask { of: self.symbol(place, input)?, value: value as f32 }),
            ("Any", [input], None) => match self.given.get(&self.origin(place, input)?) {
                Some(Given::Mask(mask)) => Some(*mask),
                _ => None,
            },
            _ => None,
        };
        mask.map(Given::Mask).ok_or_else(|| {
            format!("{place}: `{class}` of {module} is an operation, not a layer; supported here: layers, such as `keras.layers.Add()([a, b])` for a + b. Build the model with them in Keras and save it again")
        })
    }

    /// A mask that is named must be the one that goes along with the input.
    fn check_mask(&self, place: &str, node: &Node, input: Symbol) -> Read<()> {
        let Some(source) = &node.mask else {
            // With several arguments Keras leaves the mask out.
            let left_out = node.has_states && self.masks.contains_key(&input);
            return match left_out {
                true => Err(format!(
                    "{place}: with `initial_state` Keras leaves the mask of the input out, which is not supported here. Call it with `mask=` in Keras and save the model again"
                )),
                false => Ok(()),
            };
        };
        match self.given.get(&self.origin(place, source)?) {
            Some(Given::Mask(mask)) if self.masks.get(&input) == Some(mask) => Ok(()),
            _ => Err(format!(
                "{place}: argument `mask` comes from `{}`; supported here: the mask of its input, made by Masking",
                source.layer
            )),
        }
    }

    /// Notes which mask goes along with what a layer gives.
    fn pass_mask(&mut self, entry: &Value, input: Symbol, outputs: &[Symbol]) {
        let mask = if class_name(entry) == Some("Masking") {
            let value = entry.get("config").and_then(|config| config.get("mask_value")).and_then(Value::as_f64);
            Some(Mask { of: input, value: value.unwrap_or(0.0) as f32 })
        } else {
            self.masks.get(&input).copied()
        };
        if let Some(mask) = mask {
            let sequences = outputs.iter().filter(|&&output| self.graph.shape(output).len() == 2);
            self.masks.extend(sequences.map(|&output| (output, mask)));
        }
    }
}

/// The module of an entry that is an operation on tensors, such as `a + b`, and no layer.
fn operation(entry: &Value) -> Option<&str> {
    let module = entry.get("module")?.as_str()?;
    (module.starts_with("keras.src.ops.") || module.starts_with("keras.ops")).then_some(module)
}

/// Keras's JSON of a functional model; `layers` are the layers' entries, without their calls.
pub(super) fn write(network: &Network, layers: Vec<Value>) -> Read<Map<String, Value>> {
    let sources = sources(network)?;
    refuse_masks(network)?;
    let source = |&id: &ValueId| sources[id].clone();
    let mut all = Vec::with_capacity(network.inputs.len() + layers.len());
    for (id, input) in network.inputs.iter().enumerate() {
        let name = &sources[id].layer;
        let config = json!({ "name": name, "batch_shape": batch_shape(&input.shape), "dtype": "float32" });
        all.push(connected(entry("InputLayer", config), name, Vec::new()));
    }
    for (i, (placed, layer)) in network.layers.iter().zip(layers).enumerate() {
        let calls = network.calls.iter().filter(|call| call.layer == i);
        let inputs = |ids: &[ValueId]| -> Vec<(Source, &[usize])> {
            ids.iter().map(|id| (source(id), network.values[*id].as_slice())).collect()
        };
        let class = placed.layer.class_name();
        let nodes = calls.map(|call| keras_nodes::write(class, &inputs(&call.inputs))).collect();
        all.push(connected(layer, &placed.name, nodes));
    }
    let ids: Vec<ValueId> = (0..network.inputs.len()).collect();
    let ends = |keys: &[String], ids: &[ValueId]| write_ends(keys, &ids.iter().map(source).collect::<Vec<_>>());
    let config = json!({
        "name": "functional",
        "trainable": true,
        "layers": all,
        "input_layers": ends(&network.keys.inputs, &ids),
        "output_layers": ends(&network.keys.outputs, &network.outputs),
    });
    let mut model = Map::new();
    model.insert("module".into(), "keras.src.models.functional".into());
    model.insert("class_name".into(), "Functional".into());
    model.insert("registered_name".into(), "Functional".into());
    model.insert("config".into(), config);
    Ok(model)
}

/// Refuses what Keras would make other masks for.
fn refuse_masks(network: &Network) -> Read<()> {
    let masked = network.masked();
    for call in &network.calls {
        let (name, class) = (&network.layers[call.layer].name, network.layers[call.layer].layer.class_name());
        let any = call.inputs.iter().any(|id| masked.contains(id));
        if class == "Concatenate" && any {
            return Err(format!("layer `{name}` concatenates masked sequences, whose masks Keras joins otherwise"));
        }
        if !keras_nodes::takes_list(class) && call.inputs.len() > 1 && masked.contains(&call.inputs[0]) {
            return Err(format!(
                "layer `{name}` has initial states and a masked input, whose mask Keras would leave out"
            ));
        }
    }
    Ok(())
}

/// An entry with its calls.
fn connected(mut entry: Value, name: &str, nodes: Vec<Value>) -> Value {
    entry["name"] = name.into();
    entry["inbound_nodes"] = nodes.into();
    entry
}

/// Where every value comes from.
fn sources(network: &Network) -> Read<Vec<Source>> {
    let mut sources = Vec::with_capacity(network.values.len());
    for input in &network.inputs {
        let name = input.name.clone().ok_or("an input has no name")?;
        if name.contains('/') {
            return Err(format!("the name `{name}` of an input holds a `/`, which Keras refuses; name it otherwise"));
        }
        sources.push(Source { layer: name, node: 0, tensor: 0 });
    }
    let mut nodes = vec![0; network.layers.len()];
    for call in &network.calls {
        let (layer, node) = (&network.layers[call.layer].name, nodes[call.layer]);
        sources.extend((0..call.outputs.len()).map(|tensor| Source { layer: layer.clone(), node, tensor }));
        nodes[call.layer] += 1;
    }
    Ok(sources)
}
