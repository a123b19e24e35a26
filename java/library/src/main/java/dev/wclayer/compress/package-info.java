/**
 * For programs that handle layer tars with Commons Compress: what Windows keeps of an entry, read from and written to a
 * {@link org.apache.commons.compress.archivers.tar.TarArchiveEntry}, and a writer of whole layer tars.
 */
package dev.wclayer.compress;
