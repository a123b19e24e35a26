package dev.wclayer.internal;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * One record of a native query: numbers (i64), texts (u32 count and UTF-16 units, so that lone surrogates survive),
 * bytes (u32 count) and lists (u32 count), little-endian, in an order both sides know.
 */
public final class RecordReader {
    private final ByteBuffer record;

    RecordReader(ByteBuffer record) {
        this.record = record;
    }

    /** The next field, a number. */
    public long number() {
        need(Long.BYTES);
        return record.getLong();
    }

    /** The next field, a text. */
    public String text() {
        int units = count(Character.BYTES);
        char[] text = new char[units];
        for (int i = 0; i < units; i++) {
            text[i] = record.getChar();
        }
        return new String(text);
    }

    /** The next field, bytes. */
    public byte[] bytes() {
        byte[] bytes = new byte[count(1)];
        record.get(bytes);
        return bytes;
    }

    /** The next field, a list of whatever {@code item} reads. */
    public <T> List<T> list(Reader<T> item) {
        int count = count(1); // an item has at least one byte
        List<T> items = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            items.add(item.read(this));
        }
        return items;
    }

    boolean atEnd() {
        return !record.hasRemaining();
    }

    private int count(int unitBytes) {
        need(Integer.BYTES);
        int count = record.getInt();
        if (count < 0 || count > record.remaining() / unitBytes) {
            throw new InternalError("wclayer: a native record counts " + Integer.toUnsignedString(count)
                    + " items where " + record.remaining() + " bytes are left");
        }
        return count;
    }

    private void need(int bytes) {
        if (record.remaining() < bytes) {
            throw new InternalError(
                    "wclayer: a native record ends early: " + bytes + " bytes wanted, " + record.remaining() + " left");
        }
    }

    /** Reads one item from a record. */
    @FunctionalInterface
    public interface Reader<T> {
        /** Takes the item's fields. */
        T read(RecordReader record);
    }
}
