//! What kind of numbers the outputs of a node hold.

use crate::onnx::node::NodeContext;
use crate::onnx::tensors::data_type;
use crate::tensor::Element;

/// The kind of output `at`.
pub(super) fn of_output(node: &NodeContext<'_>, at: usize) -> Element {
    let of_input = |index: usize| node.optional(index).map_or(Element::Float, |x| x.element);
    match node.proto.op_type.as_str() {
        "Cast" => of_type(i32::try_from(node.int("to", 1)).unwrap_or(0)),
        "CastLike" | "Where" => of_input(1),
        "OneHot" => of_input(2),
        "Equal" | "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual" | "And" | "Or" | "Xor"
        | "Not" | "IsNaN" | "IsInf" => Element::Bool,
        "IsTrue" => Element::Bool,
        "Real" => Element::Float,
        "ArgMax" | "ArgMin" | "NonZero" | "Truncate" => Element::Int,
        "TopK" if at == 1 => Element::Int,
        _ => of_input(0),
    }
}

/// The kind of an ONNX type.
pub(super) fn of_type(data_type: i32) -> Element {
    match data_type {
        data_type::BOOL => Element::Bool,
        t if data_type::is_integer(t) => Element::Int,
        _ => Element::Float,
    }
}
