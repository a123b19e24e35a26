/** One job each, done by us or by a peer: the same input, and outputs that can be compared. */
@NullMarked
package dev.wclayer.benchmarks.task;

import org.jspecify.annotations.NullMarked;
