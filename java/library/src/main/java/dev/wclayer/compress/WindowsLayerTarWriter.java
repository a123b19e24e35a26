package dev.wclayer.compress;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.apache.commons.compress.archivers.tar.TarConstants;

/**
 * Writes a Windows layer tar as OCI registries carry it: {@code Files} first, every folder before what is in it, every
 * entry with attributes and a security descriptor. Paths are as in the tar ({@code Files/Windows/a.dll}); missing parent
 * folders are written with defaults. The same calls give the same bytes. Not for several threads.
 */
public final class WindowsLayerTarWriter implements AutoCloseable {
    private static final int FILE_MODE = 0100000;
    private static final int FOLDER_MODE = 0040000;
    private static final int LINK_MODE = 0120000;
    private static final String ROOT = "Files";
    private static final String WHITEOUT = ".wh.";

    private final TarArchiveOutputStream tar;
    private final Instant time;
    /** Whether a path (as Windows compares it, near enough) is a folder. */
    private final Map<String, Boolean> written = new HashMap<>();

    private String lastFile = "";

    /**
     * Starts a tar with the folder {@code Files}.
     *
     * @param out receives the tar; {@link #close()} closes it
     * @param time the times of all entries that are not given metadata
     * @throws IOException if {@code out} fails
     */
    public WindowsLayerTarWriter(OutputStream out, Instant time) throws IOException {
        this.tar = new TarArchiveOutputStream(out, StandardCharsets.UTF_8.name());
        this.time = time;
        tar.setLongFileMode(TarArchiveOutputStream.LONGFILE_POSIX);
        tar.setBigNumberMode(TarArchiveOutputStream.BIGNUMBER_POSIX);
        tar.setAddPaxHeadersForNonAsciiNames(true);
        folder(ROOT);
    }

    /**
     * Writes a folder with default metadata, unless it was written already.
     *
     * @param path its path
     * @throws IOException if the output fails
     * @throws IllegalArgumentException if the path is no path in a layer, or was written as something else
     */
    public void folder(String path) throws IOException {
        if (!Boolean.TRUE.equals(written.get(key(path)))) {
            folder(path, WindowsMetadata.ofFolder(time));
        }
    }

    /**
     * Writes a folder.
     *
     * @param path its path
     * @param metadata its metadata
     * @throws IOException if the output fails
     * @throws IllegalArgumentException if the path is no path in a layer, or was written already
     */
    public void folder(String path, WindowsMetadata metadata) throws IOException {
        claim(path, true);
        write(entry(path, TarConstants.LF_DIR, FOLDER_MODE, metadata));
    }

    /**
     * Writes a file with default metadata.
     *
     * @param path its path
     * @param content its bytes
     * @throws IOException if the output fails
     * @throws IllegalArgumentException if the path is no path in a layer, or was written already
     */
    public void file(String path, byte[] content) throws IOException {
        file(path, content.length, new ByteArrayInputStream(content), WindowsMetadata.ofFile(time));
    }

    /**
     * Writes a file.
     *
     * @param path its path
     * @param sizeBytes how many bytes {@code content} has
     * @param content its bytes; read to the end and not closed
     * @param metadata its metadata
     * @throws IOException if either side fails, or the content has another size
     * @throws IllegalArgumentException if the path is no path in a layer, or was written already
     */
    public void file(String path, long sizeBytes, InputStream content, WindowsMetadata metadata) throws IOException {
        claim(path, false);
        TarArchiveEntry entry = entry(path, TarConstants.LF_NORMAL, FILE_MODE, metadata);
        entry.setSize(sizeBytes);
        tar.putArchiveEntry(entry);
        content.transferTo(tar);
        tar.closeArchiveEntry();
        lastFile = path;
    }

    /**
     * Writes an alternate data stream of the file that was written last.
     *
     * @param name name of the stream, without colon
     * @param content its bytes
     * @throws IOException if the output fails
     * @throws IllegalStateException if what was written last is no file
     * @throws IllegalArgumentException if the name is no name of a stream
     */
    public void alternateStream(String name, byte[] content) throws IOException {
        if (lastFile.isEmpty()) {
            throw new IllegalStateException("an alternate stream follows its file at once");
        }
        if (name.isEmpty() || name.chars().anyMatch(c -> c == ':' || c == '/' || c == '\\' || c == 0)) {
            throw new IllegalArgumentException("not a name of a stream: '" + name + "'");
        }
        TarArchiveEntry entry = plain(lastFile + ":" + name, TarConstants.LF_NORMAL, FILE_MODE);
        entry.setLastModifiedTime(FileTime.from(time));
        entry.setSize(content.length);
        tar.putArchiveEntry(entry);
        tar.write(content);
        tar.closeArchiveEntry();
    }

    /**
     * Writes a further name of a file.
     *
     * @param path the further name
     * @param target a file written before
     * @throws IOException if the output fails
     * @throws IllegalArgumentException if the path is no path in a layer or was written already, or the target is no file
     *     written before
     */
    public void hardLink(String path, String target) throws IOException {
        if (!Boolean.FALSE.equals(written.get(key(target)))) {
            throw new IllegalArgumentException("'" + target + "' is no file written before");
        }
        claim(path, false);
        TarArchiveEntry entry = plain(path, TarConstants.LF_LINK, 0644);
        entry.setLastModifiedTime(FileTime.from(time));
        entry.setLinkName(target);
        write(entry);
    }

    /**
     * Writes a symbolic link.
     *
     * @param path its path
     * @param target where it points, as Windows writes it ({@code C:\dir\file} or {@code ..\file})
     * @param toFolder whether it points to a folder, which Windows has to know
     * @throws IOException if the output fails
     * @throws IllegalArgumentException if the path is no path in a layer, or was written already
     */
    public void symbolicLink(String path, String target, boolean toFolder) throws IOException {
        link(path, target, toFolder, false);
    }

    /**
     * Writes a junction.
     *
     * @param path its path
     * @param target the folder it points to, absolute, as Windows writes it ({@code C:\dir})
     * @throws IOException if the output fails
     * @throws IllegalArgumentException if the path is no path in a layer, or was written already
     */
    public void junction(String path, String target) throws IOException {
        link(path, target, true, true);
    }

    /**
     * Writes the deletion of something that a parent layer has.
     *
     * @param path what is deleted, below {@code Files} or {@code UtilityVM/Files}
     * @throws IOException if the output fails
     * @throws IllegalArgumentException if the path is no path in a layer, or was written already
     */
    public void whiteout(String path) throws IOException {
        claim(path, false);
        int name = path.lastIndexOf('/') + 1;
        TarArchiveEntry entry =
                plain(path.substring(0, name) + WHITEOUT + path.substring(name), TarConstants.LF_NORMAL, 0);
        entry.setLastModifiedTime(FileTime.fromMillis(0));
        write(entry);
    }

    /**
     * Ends the tar and closes the output.
     *
     * @throws IOException if the output fails
     */
    @Override
    public void close() throws IOException {
        tar.close();
    }

    private void link(String path, String target, boolean toFolder, boolean junction) throws IOException {
        claim(path, false);
        WindowsMetadata metadata = toFolder ? WindowsMetadata.ofFolder(time) : WindowsMetadata.ofFile(time);
        metadata = metadata.withAttributes(metadata.attributes() | WindowsMetadata.REPARSE_POINT)
                .withMountPoint(junction);
        TarArchiveEntry entry =
                entry(path, TarConstants.LF_SYMLINK, toFolder ? LINK_MODE | FOLDER_MODE : LINK_MODE, metadata);
        entry.setLinkName(target);
        write(entry);
    }

    private void write(TarArchiveEntry entry) throws IOException {
        tar.putArchiveEntry(entry);
        tar.closeArchiveEntry();
        lastFile = "";
    }

    /** Refuses what is no path and what was written, and writes the parents. */
    private void claim(String path, boolean folder) throws IOException {
        check(path);
        if (written.containsKey(key(path))) {
            throw new IllegalArgumentException("'" + path + "' was written already");
        }
        int parent = path.lastIndexOf('/');
        if (parent > 0) {
            String above = path.substring(0, parent);
            if (Boolean.FALSE.equals(written.get(key(above)))) {
                throw new IllegalArgumentException("'" + above + "' was written as something else than a folder");
            }
            folder(above);
        }
        written.put(key(path), folder);
    }

    private static void check(String path) {
        String[] names = path.split("/", -1);
        boolean top = names[0].equals(ROOT) || names[0].equals("Hives") || names[0].equals("UtilityVM");
        boolean good = top;
        for (String name : names) {
            good &= !name.isEmpty() && !name.equals(".") && !name.equals("..");
            good &= name.chars().noneMatch(c -> c < ' ' || "\\:*?\"<>|".indexOf(c) >= 0);
        }
        if (!good) {
            throw new IllegalArgumentException("not a path in a layer: '" + path + "'");
        }
    }

    private static String key(String path) {
        return path.toUpperCase(Locale.ROOT);
    }

    private static TarArchiveEntry entry(String path, byte type, int mode, WindowsMetadata metadata) {
        TarArchiveEntry entry = plain(path, type, mode);
        WindowsTarEntries.setMetadata(metadata, entry);
        return entry;
    }

    private static TarArchiveEntry plain(String path, byte type, int mode) {
        TarArchiveEntry entry = new TarArchiveEntry(path, type);
        entry.setMode(mode);
        entry.setUserName(""); // else the name of whoever builds it
        entry.setSize(0);
        return entry;
    }
}
