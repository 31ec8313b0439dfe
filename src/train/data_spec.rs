//! From a model's own words about its data to a data set, and back.

use std::path::Path;

use super::model::DataSpec;
use crate::data::Dataset;
use crate::error::Result;

impl DataSpec {
    /// What a data set read with this window and stride says about itself.
    pub fn of(data: &Dataset, window: usize, stride: usize) -> DataSpec {
        DataSpec {
            columns: data.columns().to_vec(),
            target: data.target_name().map(str::to_owned),
            window,
            stride,
            classes: data.classes().map(<[String]>::to_vec),
        }
    }

    /// Reads a file as this says, with its target: one of the classes, or any number where there are none.
    pub fn load(&self, path: impl AsRef<Path>) -> Result<Dataset> {
        let options = Dataset::csv(path).columns(&self.columns).window(self.window).stride(self.stride);
        let options = match &self.target {
            Some(target) => options.target(target),
            None => options,
        };
        match self.classes.as_deref() {
            Some([zero, one]) => options.label_classes([zero, one]).load(),
            _ => options.numeric_target().load(),
        }
    }

    /// Reads a file as this says, without a target, as for rows to predict on.
    pub fn load_inputs(&self, path: impl AsRef<Path>) -> Result<Dataset> {
        let options = Dataset::csv(path).columns(&self.columns).window(self.window).stride(self.stride);
        options.no_target().load()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_reads_other_files_as_the_first_was_read() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        };
        let first = write("first.csv", "a,b,y\n1,2,no\n3,4,yes\n5,6,no\n");
        let data = Dataset::csv(&first).target("y").columns(["b", "a"]).window(2).load().unwrap();
        let spec = DataSpec::of(&data, 2, 1);
        let second = write("second.csv", "y,a,b\nyes,7,8\nyes,9,10\n");
        let again = spec.load(&second).unwrap();
        assert_eq!(
            (again.sample(0), again.classes().unwrap()),
            ((vec![8.0, 7.0, 10.0, 9.0], vec![1.0]), &["no".into(), "yes".into()][..])
        );
        let unlabelled = write("third.csv", "a,b\n7,8\n9,10\n");
        assert_eq!(spec.load_inputs(&unlabelled).unwrap().sample(0), (vec![8.0, 7.0, 10.0, 9.0], vec![]));
    }
}
