/** Handles, buffers and records between the public classes and the native core; not exported. */
package dev.wclayer.internal;
