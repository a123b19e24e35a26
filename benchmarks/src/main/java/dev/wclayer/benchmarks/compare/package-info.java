/** Us and our peers by turns in one run: best, median, ratio; and the guard that watches the ratios. */
@NullMarked
package dev.wclayer.benchmarks.compare;

import org.jspecify.annotations.NullMarked;
