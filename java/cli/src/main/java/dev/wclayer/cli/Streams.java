package dev.wclayer.cli;

import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;

/**
 * What a command reads and writes.
 *
 * @param in archives
 * @param out results
 * @param err messages and progress
 */
record Streams(InputStream in, OutputStream out, PrintStream err) {}
