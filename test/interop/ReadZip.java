import java.io.FileInputStream;
import java.io.InputStream;
import java.security.MessageDigest;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipInputStream;

/**
 * Prints a line for each entry of an archive: reader, name and SHA-256. Arguments: the path, then the readers, which are
 * ZipFile (reads the directory) and ZipInputStream (does not).
 */
public class ReadZip {
    public static void main(String[] args) throws Exception {
        List<String> readers = List.of(args);
        if (readers.contains("ZipFile"))
            try (ZipFile file = new ZipFile(args[0])) {
                for (ZipEntry entry : Collections.list(file.entries()))
                    try (InputStream in = file.getInputStream(entry)) {
                        print("ZipFile", entry, in);
                    }
            }
        if (readers.contains("ZipInputStream"))
            try (ZipInputStream in = new ZipInputStream(new FileInputStream(args[0]))) {
                for (ZipEntry entry; (entry = in.getNextEntry()) != null;) print("ZipInputStream", entry, in);
            }
    }

    private static void print(String reader, ZipEntry entry, InputStream in) throws Exception {
        byte[] digest = MessageDigest.getInstance("SHA-256").digest(in.readAllBytes());
        System.out.println(reader + " " + entry.getName() + " " + HexFormat.of().formatHex(digest));
    }
}
