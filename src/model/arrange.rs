//! The order of a graph's layers, which files and optimizer states go by.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::network::{Call, Network, ValueId};
use super::table::Table;

/// Layers whose call takes a mask, of those with one input.
const TAKES_MASK: [&str; 6] =
    ["LSTM", "GRU", "Bidirectional", "BatchNormalization", "GlobalAveragePooling1D", "TimeDistributed"];

impl Network {
    /// Leaves out what leads to no output, and puts the layers into the order in which Keras has a functional model's: by their
    /// longest way to an output, and where that is the same as a search from the outputs meets them
    /// (`keras/src/ops/function.py`, `map_graph`). A file of Keras's says the order itself: `named`.
    pub(super) fn arranged(self, named: &[String]) -> Network {
        let graph = Graph::new(&self);
        let (entered, left) = graph.search();
        let mut order = graph.order(&entered, &left);
        let place = |layer: usize| named.iter().position(|name| *name == self.layers[layer].name);
        order.sort_by_key(|&layer| place(layer).unwrap_or(usize::MAX));
        let mut kept: Vec<usize> = left.iter().filter_map(|&node| graph.call_of(node)).collect();
        kept.sort_unstable();
        self.rebuilt(&order, &kept)
    }

    /// The values that a Masking's mask goes along with.
    pub(crate) fn masked(&self) -> HashSet<ValueId> {
        Graph::new(self).masks.into_keys().collect()
    }

    /// The network of these layers, in this order, and these calls.
    fn rebuilt(self, layers: &[usize], calls: &[usize]) -> Network {
        let inputs = self.inputs.len();
        let mut values = self.values[..inputs].to_vec();
        let mut new_ids: HashMap<ValueId, ValueId> = (0..inputs).map(|id| (id, id)).collect();
        let mut new_calls: Vec<Call> = Vec::with_capacity(calls.len());
        for &call in calls {
            let Call { layer, inputs, outputs } = &self.calls[call];
            for &id in outputs {
                new_ids.insert(id, values.len());
                values.push(self.values[id].clone());
            }
            let new = |ids: &[ValueId]| ids.iter().filter_map(|id| new_ids.get(id).copied()).collect();
            let layer = layers.iter().position(|other| other == layer).unwrap_or_default();
            new_calls.push(Call { layer, inputs: new(inputs), outputs: new(outputs) });
        }
        let mut table = Table::default();
        let mut placed = Vec::with_capacity(layers.len());
        for (i, &layer) in layers.iter().enumerate() {
            let mut layer = self.layers[layer].clone();
            let own = self.table.variables().iter().filter(|v| v.path == format!("{}/{}", layer.name, v.spec.name));
            table.add(&layer.name, own.map(|variable| variable.spec.clone()).collect());
            if let Some(first) = new_calls.iter().find(|call| call.layer == i) {
                let shapes = |ids: &[ValueId]| ids.iter().map(|&id| values[id].clone()).collect();
                (layer.input_shapes, layer.output_shapes) = (shapes(&first.inputs), shapes(&first.outputs));
            }
            placed.push(layer);
        }
        let outputs = self.outputs.iter().filter_map(|id| new_ids.get(id).copied()).collect();
        Network { layers: placed, calls: new_calls, outputs, values, table: Arc::new(table), ..self }
    }
}

/// Inputs and calls as nodes, inputs first; behind them the operations by which Keras makes masks, which count in its order.
struct Graph<'a> {
    network: &'a Network,
    /// The nodes that each node needs, in order.
    parents: Vec<Vec<usize>>,
    /// The node that gives each value.
    givers: HashMap<ValueId, usize>,
    /// The node that makes the mask of each value that has one.
    masks: HashMap<ValueId, usize>,
}

impl<'a> Graph<'a> {
    fn new(network: &'a Network) -> Graph<'a> {
        let inputs = network.inputs.len();
        let mut givers: HashMap<ValueId, usize> = (0..inputs).map(|id| (id, id)).collect();
        let mut parents = vec![Vec::new(); inputs];
        for (i, call) in network.calls.iter().enumerate() {
            parents.push(call.inputs.iter().map(|id| givers[id]).collect());
            givers.extend(call.outputs.iter().map(|&id| (id, inputs + i)));
        }
        let mut graph = Graph { network, parents, givers, masks: HashMap::new() };
        graph.add_masks();
        graph
    }

    /// A Masking's mask is Any of NotEqual of its input. It goes along with sequences, into those layers that take it.
    fn add_masks(&mut self) {
        for (i, call) in self.network.calls.iter().enumerate() {
            let placed = &self.network.layers[call.layer];
            let carried: Vec<Option<usize>> = call.inputs.iter().map(|id| self.masks.get(id).copied()).collect();
            let mask = match (placed.layer.class_name(), carried.as_slice()) {
                ("Masking", _) => {
                    let compared = self.add(vec![self.givers[&call.inputs[0]]]);
                    Some(self.add(vec![compared]))
                }
                (class, &[Some(mask)]) => {
                    if TAKES_MASK.contains(&class) {
                        self.parents[self.network.inputs.len() + i].push(mask);
                    }
                    Some(mask)
                }
                (class, [Some(first), rest @ ..]) if class != "Concatenate" => {
                    rest.iter().try_fold(*first, |all, mask| mask.map(|mask| self.add(vec![all, mask])))
                }
                _ => None,
            };
            let sequences = call.outputs.iter().filter(|&&id| self.network.values[id].len() == 2);
            self.masks.extend(sequences.filter_map(|&id| mask.map(|mask| (id, mask))));
        }
    }

    fn add(&mut self, parents: Vec<usize>) -> usize {
        self.parents.push(parents);
        self.parents.len() - 1
    }

    fn call_of(&self, node: usize) -> Option<usize> {
        node.checked_sub(self.network.inputs.len()).filter(|&call| call < self.network.calls.len())
    }

    /// The layer that a node calls; none for an input or an operation.
    fn layer_of(&self, node: usize) -> Option<usize> {
        self.call_of(node).map(|call| self.network.calls[call].layer)
    }

    /// Searches from the outputs, depth first: the nodes as they are entered, and as they are left, each behind those it needs.
    fn search(&self) -> (Vec<usize>, Vec<usize>) {
        let mut seen = vec![false; self.parents.len()];
        let (mut entered, mut left) = (Vec::new(), Vec::new());
        for output in &self.network.outputs {
            // Not by recursion: a file may hold a very long chain.
            let mut open = vec![(self.givers[output], 0)];
            while let Some((node, next)) = open.pop() {
                if next == 0 {
                    if std::mem::replace(&mut seen[node], true) {
                        continue;
                    }
                    entered.push(node);
                }
                match self.parents[node].get(next) {
                    Some(&parent) => open.extend([(node, next + 1), (parent, 0)]),
                    None => left.push(node),
                }
            }
        }
        (entered, left)
    }

    /// The layers in Keras's order.
    fn order(&self, entered: &[usize], left: &[usize]) -> Vec<usize> {
        let mut depths = vec![0; self.parents.len()];
        let mut layer_depths = vec![0; self.network.layers.len()];
        for &node in left.iter().rev() {
            let mut depth = depths[node];
            if let Some(layer) = self.layer_of(node) {
                depth = depth.max(layer_depths[layer]);
                layer_depths[layer] = depth;
            }
            self.parents[node].iter().for_each(|&parent| depths[parent] = depths[parent].max(depth + 1));
        }
        let mut met = HashSet::new();
        let layers = entered.iter().filter_map(|&node| self.layer_of(node));
        let mut order: Vec<usize> = layers.filter(|&layer| met.insert(layer)).collect();
        order.sort_by_key(|&layer| Reverse(layer_depths[layer]));
        order
    }
}
