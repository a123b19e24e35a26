/** One question in depth: JMH with its profilers ({@code -prof gc}) on the tasks that the comparison runs by turns. */
package dev.wclayer.benchmarks.jmh;
