"""A network on one example as a flat list of equations, with its derivatives left as they are."""

from typing import Any

import jax

from mconn import jaxprs
from mconn.errors import StructureError
from mconn.types import ApplyFn, Params


def trace(apply: ApplyFn, params: Params, example: Any) -> jaxprs.Program:
    """The live equations of a network on one example; the arguments may be abstract.

    Raises:
        StructureError: if the network does not return one row of outputs per example.
    """

    def of_example(params: Params, example: Any) -> Any:
        outputs = apply(params, jax.tree.map(lambda leaf: leaf[None], example))
        shape = getattr(outputs, "shape", None)
        if shape is None or len(shape) != 2 or shape[0] != 1:
            raise StructureError(
                f"the network maps one example to {shape or type(outputs).__name__}, not to (1, "
                "outputs): pass an apply(params, inputs) that returns one row of outputs per "
                "example"
            )
        return outputs[0]

    return jaxprs.trace(of_example, params, example, custom_derivatives=True)
