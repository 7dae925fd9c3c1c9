//! The run record at the end of a page: fact by fact for people, as JSON for machines.

use crate::markup::Markup;
use crate::record::RunRecord;

pub(super) fn write(main: &mut Markup, record: &RunRecord) {
    let attributes = [("class", "record"), ("aria-label", "Run record")];
    main.element("section", &attributes, |section| {
        section.element("details", &[], |details| {
            details.leaf("summary", &[], "Run record: how to make this page again");
            details.element("dl", &[], |list| {
                for (key, value) in record.flat() {
                    list.leaf("dt", &[], &key);
                    list.leaf("dd", &[], &value);
                }
            });
            details.element("details", &[], |raw| {
                raw.leaf("summary", &[], "The same as JSON");
                raw.leaf("pre", &[("tabindex", "0")], &record.to_json_pretty());
            });
        });
    });
}
