use super::*;
use quaver::table::Kind;
use std::fs;

fn columns() -> Vec<Column> {
    vec![
        Column::new("sample", Kind::Int, "its index"),
        Column::new("fi", Kind::Float, "influence"),
        Column::new("class", Kind::Text, "the class"),
    ]
}

fn rows() -> Vec<Vec<Value>> {
    vec![
        vec![0.into(), 0.1.into(), "a \"b\", c\nd".into()],
        vec![i64::MIN.into(), f64::INFINITY.into(), "Ünïcode 🐈".into()],
        vec![Value::Null, Value::Null, Value::Null],
        vec![2.into(), (-1e-300).into(), "".into()],
    ]
}

fn write(path: &Path, rows: impl IntoIterator<Item = Vec<Value>>) -> Vec<u8> {
    let record = RunRecord::new().with("command", "quaver fi");
    let mut writer = TableWriter::create(path, &columns(), &record).unwrap();
    for row in rows {
        writer.write_row(&row).unwrap();
    }
    assert!(!path.exists(), "a file that is not finished is not there");
    writer.finish().unwrap();
    fs::read(path).unwrap()
}

/// Cases as data: the file's name and its text.
#[test]
fn text_formats() {
    let folder = tempfile::tempdir().unwrap();
    let csv = "sample,fi,class\n\
               0,0.1,\"a \"\"b\"\", c\nd\"\n\
               -9223372036854775808,inf,Ünïcode 🐈\n\
               ,,\n\
               2,-1e-300,\n";
    let json = "{\"sample\":0,\"fi\":0.1,\"class\":\"a \\\"b\\\", c\\nd\"}\n\
                {\"sample\":-9223372036854775808,\"fi\":\"inf\",\"class\":\"Ünïcode 🐈\"}\n\
                {\"sample\":null,\"fi\":null,\"class\":null}\n\
                {\"sample\":2,\"fi\":-1e-300,\"class\":\"\"}\n";
    for (name, text) in [
        ("a.csv", csv),
        ("a.ndjson", json),
        ("a.jsonl", json),
        ("a.CSV", csv),
    ] {
        let bytes = write(&folder.path().join(name), rows());
        assert_eq!(String::from_utf8(bytes).unwrap(), text, "{name}");
    }
}

#[test]
fn text_formats_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = write(&folder.path().join("a.csv"), rows());
    let mut reader = ::csv::Reader::from_reader(&*bytes);
    let read: Vec<::csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(read.len(), 4);
    assert_eq!(&read[0][2], "a \"b\", c\nd");
    assert_eq!(read[1][1].parse::<f64>().unwrap(), f64::INFINITY);

    let bytes = write(&folder.path().join("a.jsonl"), rows());
    for line in std::str::from_utf8(&bytes).unwrap().lines() {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(object.as_object().unwrap().len(), 3);
    }
}

#[test]
fn same_rows_same_bytes_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    for extension in table_extensions() {
        let [one, two] = ["one", "two"].map(|name| {
            let path = folder.path().join(name).with_extension(extension);
            write(&path, (0..500).flat_map(|_| rows()))
        });
        assert!(one == two, "{extension}");
    }
}

#[test]
fn unfinished_tables_leave_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    for extension in table_extensions() {
        let path = folder.path().join("a").with_extension(extension);
        let mut writer = TableWriter::create(&path, &columns(), &RunRecord::new()).unwrap();
        writer.write_row(&rows()[0]).unwrap();
        drop(writer);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn rows_that_do_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    let cases: [(Vec<Value>, &str); 4] = [
        (vec![0.into()], "row 1: 1 cells for 3 columns"),
        (
            vec![0.0.into(), Value::Null, Value::Null],
            "column \"sample\" holds a whole number, not a real number",
        ),
        (
            vec![0.into(), "x".into(), Value::Null],
            "column \"fi\" holds a real number, not text",
        ),
        (
            vec![0.into(), f64::NAN.into(), Value::Null],
            "column \"fi\" is NaN",
        ),
    ];
    let mut writer = TableWriter::create(&path, &columns(), &RunRecord::new()).unwrap();
    writer.write_row(&rows()[0]).unwrap();
    for (row, message) in cases {
        let error = writer.write_row(&row).unwrap_err();
        assert_eq!(error.kind(), ReportErrorKind::Row);
        let text = error.to_string();
        assert!(text.contains(message) && text.contains("a.csv"), "{text}");
    }
    writer.finish().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 3);
}

#[test]
fn names_that_say_no_format() {
    let cases = [
        (
            "out/a.xlsx",
            "no table format is called .xlsx; use .parquet, .csv, .ndjson, .jsonl",
        ),
        ("scores", "needs an extension"),
        ("a.csv.gz", ".gz"),
    ];
    for (name, message) in cases {
        let error = check_table_path(Path::new(name)).unwrap_err();
        assert_eq!(error.kind(), ReportErrorKind::Format);
        let text = error.to_string();
        assert!(text.starts_with(name) && text.contains(message), "{text}");
    }
}

#[test]
fn columns_that_make_no_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    let twice = [columns(), columns()].concat();
    for columns in [vec![], twice] {
        let result = TableWriter::create(&path, &columns, &RunRecord::new());
        assert_eq!(result.err().unwrap().kind(), ReportErrorKind::Format);
    }
}

mod parquet {
    use super::*;
    use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Float64Type, Int64Type};
    use arrow_array::{Array, RecordBatch};

    fn open(path: &Path) -> ParquetRecordBatchReaderBuilder<fs::File> {
        ParquetRecordBatchReaderBuilder::try_new(fs::File::open(path).unwrap()).unwrap()
    }

    #[test]
    fn reads_back_with_types_nulls_and_metadata() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        write(&path, rows());
        let reader = open(&path);
        let fi = reader.schema().field(1);
        assert_eq!(fi.metadata()["description"], "influence");
        assert!(fi.is_nullable());
        let file = reader.metadata().file_metadata();
        assert!(file.created_by().unwrap().starts_with("quaver version "));
        let pairs = file.key_value_metadata().unwrap();
        let record = pairs.iter().find(|pair| pair.key == "quaver").unwrap();
        assert_eq!(record.value.as_deref(), Some(r#"{"command":"quaver fi"}"#));

        let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
        let [batch] = &batches[..] else {
            panic!("four rows are one batch")
        };
        let (sample, fi, class) = (batch.column(0), batch.column(1), batch.column(2));
        assert_eq!(sample.as_primitive::<Int64Type>().value(1), i64::MIN);
        assert_eq!(fi.as_primitive::<Float64Type>().value(1), f64::INFINITY);
        assert_eq!(class.as_string::<i32>().value(1), "Ünïcode 🐈");
        assert!(sample.is_null(2) && fi.is_null(2) && class.is_null(2));
        assert!(!class.is_null(3) && class.as_string::<i32>().value(3).is_empty());
    }

    #[test]
    fn row_groups_are_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        let row = |sample: i64| vec![sample.into(), 0.5.into(), "x".into()];
        write(&path, (0..150_000).map(row));
        let reader = open(&path);
        let sizes: Vec<i64> = reader
            .metadata()
            .row_groups()
            .iter()
            .map(|g| g.num_rows())
            .collect();
        assert_eq!(sizes, [65_536, 65_536, 150_000 - 2 * 65_536]);
        let mut next = 0;
        for batch in reader.build().unwrap() {
            let batch = batch.unwrap();
            for sample in batch.column(0).as_primitive::<Int64Type>().values() {
                assert_eq!(*sample, next);
                next += 1;
            }
        }
        assert_eq!(next, 150_000);
    }

    #[test]
    fn a_table_without_rows_has_its_columns() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        write(&path, []);
        assert_eq!(open(&path).schema().fields().len(), 3);
    }
}
