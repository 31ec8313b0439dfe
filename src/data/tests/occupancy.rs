//! The data set that comes with gatenorm.

use super::*;

fn options(name: &str) -> TableOptions {
    Dataset::csv(Path::new(env!("CARGO_MANIFEST_DIR")).join("data/occupancy").join(name)).target("Occupancy")
}

#[test]
fn every_row_of_the_occupancy_files_is_read() {
    for (name, rows, occupied) in
        [("datatraining.txt", 8143, 1729), ("datatest.txt", 2665, 972), ("datatest2.txt", 9752, 2049)]
    {
        let data = options(name).load().unwrap();
        assert_eq!(data.len(), rows, "{name}");
        assert_eq!(data.columns(), ["Temperature", "Humidity", "Light", "CO2", "HumidityRatio"]);
        assert_eq!(data.class_balance(), Some(vec![rows - occupied, occupied]), "{name}");
        assert_eq!(data.classes().unwrap(), ["0", "1"]);
        assert_eq!(data.last_rows().collect::<Vec<_>>(), (2..rows as u64 + 2).collect::<Vec<_>>());
    }
    let first: [f32; 5] = ["23.18", "27.272", "426", "721.25", "0.00479298817650529"].map(|x| x.parse().unwrap());
    assert_eq!(options("datatraining.txt").load().unwrap().sample(0), (first.to_vec(), vec![1.0]));
}

#[test]
fn windows_of_ten_minutes_of_the_occupancy_data() {
    let data = options("datatraining.txt").window(10).load().unwrap();
    assert_eq!((data.len(), data.input_shape()), (8134, &[10, 5][..]));
    assert_eq!(data.last_rows().next(), Some(11));
    let statistics = data.feature_statistics().unwrap();
    // Of all 8,143 rows.
    let expected = [20.619_083_6, 25.731_507_0, 119.519_374_7, 606.546_243_2, 0.003_862_5];
    for (mean, expected) in statistics.mean.iter().zip(expected) {
        assert!((mean - expected).abs() < 1e-6 * expected.max(1.0), "{mean} is not {expected}");
    }
}
