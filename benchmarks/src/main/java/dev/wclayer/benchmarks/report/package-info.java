/** Figures made visible: a report becomes a page with charts, by nothing but text. */
@NullMarked
package dev.wclayer.benchmarks.report;

import org.jspecify.annotations.NullMarked;
