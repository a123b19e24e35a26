/** What wclayer costs beside its peers, asked as a user would ask. */
package dev.wclayer.benchmarks;
