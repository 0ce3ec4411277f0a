"""session: define, then run. The graph exists before anything is computed, as in TensorFlow 1.

Floor 6. Read `graph_scope` (how a program is built), then `plan` (what of it runs) and `session` (running it).

>>> import minigrad.session as tf
>>> with tf.Graph().as_default(), tf.Session() as sess:
...     x = tf.placeholder(tf.float32, [None], name="x")
...     y = x * 2.0
...     sess.run(y, {x: [1.0, 2.0]}).tolist()
[2.0, 4.0]
"""

from minigrad.session.control import control_dependencies, group, identity, no_op
from minigrad.session.control import tuple_ as tuple
from minigrad.session.gradients import gradients
from minigrad.session.graph_scope import Graph, GraphKeys, get_default_graph, reset_default_graph
from minigrad.session.inputs import constant, convert_to_tensor, placeholder, placeholder_with_default
from minigrad.session.session import InteractiveSession, Session, get_default_session
from minigrad.session.shape import TensorShape
from minigrad.session.tensor import Operation, Tensor
from minigrad.session.variables import (
    Variable,
    assign,
    assign_add,
    assign_sub,
    global_variables,
    global_variables_initializer,
    is_variable_initialized,
    trainable_variables,
    variables_initializer,
)
from minigrad.types import (
    BOOL as bool,
    FLOAT32 as float32,
    FLOAT64 as float64,
    INT32 as int32,
    INT64 as int64,
)
