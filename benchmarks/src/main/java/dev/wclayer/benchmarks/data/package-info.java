/** The layers that are measured: made from a seed, the same bytes on every machine. */
@NullMarked
package dev.wclayer.benchmarks.data;

import org.jspecify.annotations.NullMarked;
