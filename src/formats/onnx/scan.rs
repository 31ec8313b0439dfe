//! Recurrences that no operator knows, as the operator `Scan`: a body that is run for each step.

use super::graph::{Graph, body, int, ints};
use super::proto::data_type;
use super::recurrent::Swept;

/// What a body is run over.
pub(super) struct Loop<'a> {
    /// Tensors of which each run gets a step, and the axis of their steps.
    pub scanned: Vec<(String, i64)>,
    /// The initial states, each `[N, H]`; the first is the output.
    pub states: Vec<String>,
    /// `[N, T, 1]`: masked steps leave all states as they are.
    pub mask: Option<&'a str>,
    /// Whether it begins with the last step.
    pub backwards: bool,
}

impl Loop<'_> {
    /// Writes the loop; `step` makes new states of the states and of a step of each of the scanned tensors.
    pub fn write(self, graph: &mut Graph, step: impl FnOnce(&mut Graph, &[String], &[String]) -> Vec<String>) -> Swept {
        let mut scanned = self.scanned;
        scanned.extend(self.mask.map(|mask| (mask.to_owned(), 1)));
        let states: Vec<String> = self.states.iter().map(|_| graph.fresh("state")).collect();
        let steps: Vec<String> = scanned.iter().map(|_| graph.fresh("step")).collect();
        let masked = self.mask.is_some();
        let inputs = [&states[..], &steps].concat();
        let written = graph.body(&inputs, |graph| {
            let mut new = step(graph, &states, &steps);
            if let Some(mask) = steps.last().filter(|_| masked) {
                let counts = graph.op("Cast", &[mask], vec![int("to", data_type::BOOL.into())]);
                let kept = new.iter().zip(&states).map(|(new, old)| graph.op("Where", &[&counts, new, old], vec![]));
                new = kept.collect();
            }
            let output = graph.op("Identity", &[&new[0]], vec![]);
            new.into_iter().chain([output]).collect()
        });
        let backwards = i64::from(self.backwards);
        let axes: Vec<i64> = scanned.iter().map(|(_, axis)| *axis).collect();
        let attributes = vec![
            body("body", written),
            int("num_scan_inputs", scanned.len() as i64),
            ints("scan_input_axes", &axes),
            ints("scan_input_directions", &vec![backwards; axes.len()]),
            ints("scan_output_axes", &[1]),
            ints("scan_output_directions", &[backwards]),
        ];
        let inputs: Vec<&str> =
            self.states.iter().chain(scanned.iter().map(|(name, _)| name)).map(String::as_str).collect();
        let mut outputs: Vec<String> = self.states.iter().map(|_| graph.fresh("last")).collect();
        outputs.push(graph.fresh("outputs"));
        graph.push("Scan", &inputs, &outputs, attributes);
        let outputs_of_all = outputs.pop().unwrap_or_default();
        Swept { outputs: outputs_of_all, last: outputs }
    }
}
