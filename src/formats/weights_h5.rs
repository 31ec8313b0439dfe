//! `model.weights.h5`: an HDF5 tree as a flat map from dataset path to array, and back.
//!
//! Errors are texts here, since only the caller knows the file's name.

use std::collections::BTreeMap;

use hdf5_pure::{Dataset, File, FileBuilder, Group, GroupBuilder};

use super::array::{Array, ArrayData};
use super::h5_numbers;

/// The arrays of a weights file by path, without the leading slash.
pub(super) type Weights = BTreeMap<String, Array>;

/// Groups within groups: Keras needs about five.
const MAX_DEPTH: usize = 64;
/// What the arrays may always take together, however small the file.
const MIN_BUDGET: u64 = 64 << 20;
/// How many times its own size a compressed file may grow to: real weights hardly compress, except for zeros.
const MAX_EXPANSION: u64 = 100;
/// For 8000 types within types: more than 64 MiB without optimisation. Only the part in use is real memory.
const PARSER_STACK: usize = 256 << 20;
/// The least that a link to a group or dataset takes in a file.
const MIN_LINK_BYTES: u64 = 8;

/// Reads every numeric dataset of an HDF5 file.
///
/// Soft and external links are not followed, and attributes are not kept: Keras needs neither.
///
/// The parser gets a thread of its own. It calls itself for a type within a type, and 64 KiB of a hostile file make
/// 8000 of those, which overflow the network of an ordinary thread; that would abort the process. The thread also
/// contains a panic, should there be bytes that make the parser panic (some 400 000 altered files did not).
pub(super) fn read(bytes: Vec<u8>) -> Result<Weights, String> {
    let parser = std::thread::Builder::new().name("hdf5".to_owned()).stack_size(PARSER_STACK);
    let thread = parser.spawn(move || read_tree(bytes)).map_err(|e| format!("no thread to read it in: {e}"))?;
    thread.join().unwrap_or_else(|_| Err("it is so damaged that it cannot be parsed".to_owned()))
}

fn read_tree(bytes: Vec<u8>) -> Result<Weights, String> {
    let mut reader = Reader {
        bytes_left: (bytes.len() as u64).saturating_mul(MAX_EXPANSION).max(MIN_BUDGET),
        links_left: bytes.len() as u64 / MIN_LINK_BYTES,
        weights: Weights::new(),
    };
    let file = File::from_bytes(bytes).map_err(|e| e.to_string())?;
    reader.group(&file.root(), "", 0)?;
    Ok(reader.weights)
}

/// Walks the tree with two budgets, both in proportion to the file's real size: a few bytes can declare an array of
/// terabytes, and a group that links to itself can declare a tree without end.
struct Reader {
    bytes_left: u64,
    links_left: u64,
    weights: Weights,
}

impl Reader {
    fn group(&mut self, group: &Group, path: &str, depth: usize) -> Result<(), String> {
        let place = |e: hdf5_pure::Error| format!("group `/{path}`: {e}");
        for (name, dataset) in group.iter_datasets().map_err(place)? {
            self.spend_link()?;
            let path = join(path, &name);
            let array = self.dataset(&dataset).map_err(|why| format!("dataset `{path}`: {why}"))?;
            self.weights.insert(path, array);
        }
        for (name, child) in group.iter_groups().map_err(place)? {
            self.spend_link()?;
            if depth >= MAX_DEPTH {
                return Err(format!("it has more than {MAX_DEPTH} groups within groups"));
            }
            self.group(&child, &join(path, &name), depth + 1)?;
        }
        Ok(())
    }

    fn spend_link(&mut self) -> Result<(), String> {
        let left = self.links_left.checked_sub(1);
        self.links_left = left.ok_or("its groups link to one another without end")?;
        Ok(())
    }

    fn dataset(&mut self, dataset: &Dataset) -> Result<Array, String> {
        let text = |e: hdf5_pure::Error| e.to_string();
        let shape = dataset.shape().map_err(text)?;
        let element = h5_numbers::Element::of(dataset)?;
        let chunk = dataset.chunk_shape().map_err(text)?.unwrap_or_default();
        // A chunk may be larger than the array, and is decompressed whole.
        let count = elements(&shape).max(elements(&chunk));
        let bytes = count.saturating_mul(element.size().max(8));
        let left = self.bytes_left.checked_sub(bytes);
        self.bytes_left = left.ok_or_else(|| {
            format!("it declares {count} values in one array or chunk, which is absurd for a file of this size")
        })?;
        let data = element.decode(&dataset.read_raw().map_err(text)?)?;
        if data.len() as u64 != elements(&shape) {
            return Err(format!("it has the shape {shape:?} but holds {} values", data.len()));
        }
        // No dimension is too large for a `usize`: their product, the values really there, is not. (Where it is 0
        // because one dimension is, another may still be.)
        let shape = shape.iter().map(|&n| usize::try_from(n)).collect::<Result<_, _>>();
        Ok(Array { shape: shape.map_err(|e| format!("its shape: {e}"))?, data })
    }
}

fn elements(shape: &[u64]) -> u64 {
    // Not `saturating_mul` alone: an empty dimension anywhere makes the product 0.
    if shape.contains(&0) { 0 } else { shape.iter().fold(1, |n: u64, &d| n.saturating_mul(d)) }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}

/// The bytes of an HDF5 file with these arrays, each in the groups that its path names.
pub(super) fn write(weights: &Weights) -> Result<Vec<u8>, String> {
    let mut root = Tree::default();
    for (path, array) in weights {
        let shape: Vec<u64> = array.shape.iter().map(|&n| n as u64).collect();
        if array.data.len() as u64 != elements(&shape) {
            return Err(format!(
                "dataset `{path}`: {} values do not fill the shape {:?}",
                array.data.len(),
                array.shape
            ));
        }
        root.insert(path, array).ok_or_else(|| {
            format!("`{path}` is not the path of a dataset: a part is empty or `.`, or names a dataset")
        })?;
    }
    // Of the model itself, which has no variables. Keras 3.0 loads no file without it.
    if !root.datasets.contains_key("vars") {
        root.groups.entry("vars").or_default();
    }
    let mut file = FileBuilder::new();
    for (name, array) in &root.datasets {
        fill(file.create_dataset(name), array);
    }
    for (name, tree) in &root.groups {
        let mut group = file.create_group(name);
        tree.fill(&mut group);
        file.add_group(group.finish());
    }
    file.finish().map_err(|e| e.to_string())
}

/// The groups and datasets of one group.
#[derive(Default)]
struct Tree<'a> {
    groups: BTreeMap<&'a str, Tree<'a>>,
    datasets: BTreeMap<&'a str, &'a Array>,
}

impl<'a> Tree<'a> {
    /// `None` if there can be no such path in this tree. Paths come in ascending order, so a dataset comes before
    /// the paths that would have to go through it.
    fn insert(&mut self, path: &'a str, array: &'a Array) -> Option<()> {
        let (first, rest) = path.split_once('/').map_or((path, None), |(first, rest)| (first, Some(rest)));
        if matches!(first, "" | ".") || self.datasets.contains_key(first) {
            return None;
        }
        match rest {
            Some(rest) => self.groups.entry(first).or_default().insert(rest, array),
            None if self.groups.contains_key(first) => None,
            None => self.datasets.insert(first, array).is_none().then_some(()),
        }
    }

    fn fill(&self, group: &mut GroupBuilder) {
        for (name, array) in &self.datasets {
            fill(group.create_dataset(name), array);
        }
        for (name, tree) in &self.groups {
            let mut child = group.create_group(name);
            tree.fill(&mut child);
            group.add_group(child.finish());
        }
    }
}

fn fill(dataset: &mut hdf5_pure::DatasetBuilder, array: &Array) {
    match &array.data {
        ArrayData::F32(values) => dataset.with_f32_data(values),
        ArrayData::I64(values) => match values.iter().map(|&v| i32::try_from(v)).collect::<Result<Vec<_>, _>>() {
            Ok(small) => dataset.with_i32_data(&small),
            Err(_) => dataset.with_i64_data(values),
        },
    };
    let shape: Vec<u64> = array.shape.iter().map(|&n| n as u64).collect();
    dataset.with_shape(&shape);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(arrays: &[(&str, Array)]) -> Weights {
        arrays.iter().map(|(path, array)| (path.to_string(), array.clone())).collect()
    }

    /// A file with one dataset `x`.
    fn file_with(build: impl FnOnce(&mut hdf5_pure::DatasetBuilder)) -> Vec<u8> {
        let mut file = FileBuilder::new();
        build(file.create_dataset("x"));
        file.finish().unwrap()
    }

    fn read_x(bytes: Vec<u8>) -> Result<Array, String> {
        read(bytes).map(|mut all| all.remove("x").unwrap())
    }

    #[test]
    fn comes_back_bit_for_bit() {
        let odd = [0.1, -0.0, f32::MIN_POSITIVE / 2.0, f32::INFINITY, f32::from_bits(0x7fc0_1234), f32::MAX];
        let bits = |array: &Array| array.as_f32().unwrap().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        let mut many = weights(&[
            ("vars/0", Array::f32(&[2, 3], odd.to_vec())),
            ("vars/10", Array::f32(&[], vec![1.0])),
            ("layers/lstm/cell/vars/0", Array::f32(&[0, 3], vec![])),
            ("optimizer/vars/0", Array::i64(&[], vec![i64::from(i32::MIN)])),
            ("big", Array::i64(&[2], vec![i64::MAX, i64::MIN])),
        ]);
        for i in 0..300 {
            many.insert(format!("optimizer/vars/{}", i + 1), Array::f32(&[1], vec![i as f32]));
        }
        let back = read(write(&many).unwrap()).unwrap();
        assert_eq!(bits(&back["vars/0"]), bits(&many["vars/0"]));
        for (path, array) in many.iter().filter(|(path, _)| *path != "vars/0") {
            assert_eq!(&back[path], array, "{path}");
        }
        assert_eq!(back.len(), many.len());
    }

    #[test]
    fn the_model_has_a_group_of_its_own() {
        let file =
            File::from_bytes(write(&weights(&[("layers/dense/vars/0", Array::f32(&[], vec![1.0]))])).unwrap()).unwrap();
        let names: Vec<String> = file.root().iter_groups().unwrap().map(|(name, _)| name).collect();
        assert_eq!(names, ["layers", "vars"]);
    }

    #[test]
    fn impossible_paths_and_shapes_are_refused() {
        let one = || Array::f32(&[], vec![1.0]);
        for bad in [&["a", "a/b"][..], &["a//b"], &["/a"], &["a/"], &[""], &["./a"], &["a", "a-b", "a/b"]] {
            let arrays: Vec<_> = bad.iter().map(|&path| (path, one())).collect();
            assert!(write(&weights(&arrays)).unwrap_err().contains("is not the path"), "{bad:?}");
        }
        let error = write(&weights(&[("a", Array::f32(&[2, 2], vec![1.0]))])).unwrap_err();
        assert!(error.contains("1 values do not fill the shape [2, 2]"), "{error}");
    }

    #[test]
    fn compressed_datasets_are_read() {
        let values: Vec<f32> = (0..600).map(|i| (i % 7) as f32).collect();
        let squeezed = file_with(|x| {
            x.with_f32_data(&values).with_shape(&[20, 30]).with_chunks(&[8, 8]).with_shuffle().with_deflate(9);
        });
        assert_eq!(read_x(squeezed), Ok(Array::f32(&[20, 30], values)));
        let doubles = file_with(|x| {
            x.with_f64_data(&[0.5, 2.0]);
        });
        assert_eq!(read_x(doubles), Ok(Array::f32(&[2], vec![0.5, 2.0])));
    }

    #[test]
    fn bfloat16_is_read_from_its_opaque_bytes() {
        let opaque = |named: &str| {
            file_with(|x| {
                let datatype = hdf5_pure::Datatype::Opaque { size: 2, tag: vec![] };
                x.with_raw_data(datatype, vec![0xc0, 0x3f, 0x00, 0xc0], 2).with_shape(&[2]);
                x.set_attr("dtype", hdf5_pure::AttrValue::VarLenString(named.to_owned()));
            })
        };
        assert_eq!(read_x(opaque("bfloat16")), Ok(Array::f32(&[2], vec![1.5, -2.0])));
        assert!(read_x(opaque("other")).unwrap_err().contains("opaque"));
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_unpacked() {
        let zeros = file_with(|x| {
            x.with_u8_data(&vec![0; 20 << 20]).with_chunks(&[1 << 20]).with_deflate(9);
        });
        assert!(zeros.len() < 100_000);
        let error = read_x(zeros).unwrap_err();
        assert!(error.contains("dataset `x`") && error.contains("absurd"), "{error}");
    }

    #[test]
    fn types_within_types_do_not_overflow_the_stack() {
        let mut datatype = hdf5_pure::make_i32_type();
        for _ in 0..4000 {
            datatype = hdf5_pure::Datatype::Array { base_type: Box::new(datatype), dimensions: vec![1] };
        }
        // Building such a file takes a deep network as well.
        let build = move || {
            file_with(|x| {
                x.with_raw_data(datatype, vec![0; 4], 1).with_shape(&[1]);
            })
        };
        let bytes = std::thread::Builder::new().stack_size(PARSER_STACK).spawn(build).unwrap().join().unwrap();
        let error = read_x(bytes).unwrap_err();
        assert!(error.contains("lists, not numbers"), "{error}");
    }
}
