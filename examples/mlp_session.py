"""A digit classifier, defined first and then run: `minigrad.session`, in the manner of TensorFlow 1.

What to look at: `build()` computes nothing; it returns after the whole training step, gradients and optimizer
included, stands in one graph, and every number afterwards comes out of `sess.run`.
"""

import sys
import time

import digits

import minigrad.session as tf


def dense(x, weight, bias, name):
    with tf.variable_scope(name):
        w = tf.get_variable("weight", initializer=weight)
        b = tf.get_variable("bias", initializer=bias)
        return tf.matmul(x, w) + b


def build():
    """The graph: placeholders, logits, loss, accuracy and the operation that trains one step."""
    w1, b1, w2, b2 = digits.initial_weights()
    images = tf.placeholder(tf.float32, [None, 64], name="images")
    labels = tf.placeholder(tf.int64, [None], name="labels")
    hidden = tf.nn.relu(dense(images, w1, b1, "hidden"))  # [b, 64]
    logits = dense(hidden, w2, b2, "output")  # [b, 10]
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
    correct = tf.equal(tf.argmax(logits, 1), labels)
    accuracy = tf.reduce_mean(tf.cast(correct, tf.float32))
    train_step = tf.train.AdamOptimizer(0.01).minimize(loss)
    return images, labels, loss, accuracy, train_step


def main(steps=300):
    """Train; returns the loss of every step and the accuracy on the held-out images."""
    train_x, train_y, test_x, test_y = digits.load()
    with tf.Graph().as_default() as graph, tf.Session() as sess:
        start = time.perf_counter()
        images, labels, loss, accuracy, train_step = build()
        built = time.perf_counter() - start
        print(f"graph built in {built * 1e3:.0f} ms: {len(graph.get_operations())} operations, nothing computed yet")

        sess.run(tf.global_variables_initializer())
        losses = []
        start = time.perf_counter()
        for k, (x, y) in enumerate(digits.batches(train_x, train_y, steps)):
            value, _ = sess.run([loss, train_step], feed_dict={images: x, labels: y})
            losses.append(float(value))
            if k == 0:
                print(f"first step (plans what to run): {(time.perf_counter() - start) * 1e3:.1f} ms")
                start = time.perf_counter()
            if k % 50 == 0:
                print(f"step {k:4d}  loss {value:.6f}")
        print(f"later steps: {(time.perf_counter() - start) / max(steps - 1, 1) * 1e3:.2f} ms each")
        held_out = float(sess.run(accuracy, {images: test_x, labels: test_y}))
    print(f"last loss {losses[-1]:.6f}, accuracy on {len(test_y)} held-out digits {held_out:.3f}")
    return losses, held_out


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
